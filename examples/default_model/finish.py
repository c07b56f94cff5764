"""Turn a trained model into the embedded default: fit the weights, build the indexes, write it.

    python examples/default_model/finish.py --data ../shared/data --out build/default \\
        --target biolink/embedded

Fits with the model that was not trained on the development documents; ships the one that was.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from corpora import DEVELOPMENT, FURTHER, MAIN
from fitting import fit_model, write_base, write_card, write_json, write_memory
from train import FORM, TEXTS
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.infer.model import SETTINGS
from biolink.infer.ranker import Ranker
from biolink.kb import KnowledgeBase


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    arguments = parser.parse_args()
    data, out, target = arguments.data, arguments.out, arguments.target
    kb = KnowledgeBase.open(out / "kb")
    settings: dict[str, Any] = {
        "format": "biolink-model",
        "version": 1,
        "prompt": FORM.to_dict(),
        "linker": {"method": "combined"},
    }
    write_json(out / "trained" / SETTINGS, settings, 1)
    fitted, results = fit_model(out / "trained", data, kb, out / "examples.npz")
    settings["ranker"] = Ranker(fitted.weights, fitted.nil_weights).to_dict()
    settings["development"] = results
    write_json(out / "trained" / SETTINGS, settings, 1)

    # Ship the model that has seen the development documents, with all that the documents say.
    model_folder = target / "model"
    model_folder.mkdir(parents=True, exist_ok=True)
    finished = BartForConditionalGeneration.from_pretrained(out / "finished")
    finished.half().save_pretrained(model_folder)
    (model_folder / "model.safetensors").chmod(0o644)
    (model_folder / "generation_config.json").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(out / "finished").save_pretrained(model_folder)
    settings["training"] = {
        "recipe": Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8"),
        "start": "all-MiniLM-L6-v2 (Apache-2.0), encoder mapped onto BART, vocabulary pruned",
        "documents": [*MAIN, *FURTHER, *DEVELOPMENT],
        "texts": list(TEXTS),
        "knowledge_base": kb.fingerprint,
    }
    write_json(model_folder / SETTINGS, settings, 1)
    write_memory(model_folder, data, kb)
    write_card(model_folder, kb.fingerprint, fitted, Path(__file__).name)
    write_base(out / "kb", target / "kb", model_folder)
    print(json.dumps({"ranker": settings["ranker"], "development": results}, indent=1))


if __name__ == "__main__":
    main()
