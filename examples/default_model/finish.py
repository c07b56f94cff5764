"""Turn a trained model into the embedded default: fit the weights, build the indexes, write it.

    python examples/default_model/finish.py --data ../shared/data --out build/default \\
        --target biolink/embedded

The weights are fitted with the model that was not trained on the development documents; the model
that was trained on them is written to the target.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from corpora import DEVELOPMENT, FURTHER, MAIN
from fitting import fit_model, write_base, write_card, write_memory
from train import FORM, TEXTS
from transformers import AutoTokenizer, BartForConditionalGeneration

from biolink.kb import KnowledgeBase
from biolink.kb.model_files import SEAL, WEIGHTS
from biolink.kb.model_folder import ModelSettings, seal_model, write_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    arguments = parser.parse_args()
    data, out, target = arguments.data, arguments.out, arguments.target
    kb = KnowledgeBase.open(out / "kb")
    settings = ModelSettings(FORM, linker={"method": "combined"})
    write_settings(out / "trained", settings)
    fitted, fitted_ranker, results = fit_model(out / "trained", data, kb, out / "examples.npz")
    ranker = fitted_ranker.to_dict()
    settings = replace(settings, ranker=ranker, development=results)
    write_settings(out / "trained", settings)

    # Write the model that was also trained on the development documents, with data from all
    # documents.
    model_folder = target / "model"
    model_folder.mkdir(parents=True, exist_ok=True)
    finished = BartForConditionalGeneration.from_pretrained(out / "finished")
    finished.half().save_pretrained(model_folder)
    (model_folder / WEIGHTS).chmod(0o644)
    (model_folder / "generation_config.json").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(out / "finished").save_pretrained(model_folder)
    training = {
        "recipe": Path(__file__).with_name("recipe.toml").read_text(encoding="utf-8"),
        "start": "all-MiniLM-L6-v2 (Apache-2.0), encoder mapped onto BART, vocabulary pruned",
        "documents": [*MAIN, *FURTHER, *DEVELOPMENT],
        "texts": list(TEXTS),
        "knowledge_base": kb.fingerprint,
    }
    (model_folder / SEAL).unlink(missing_ok=True)
    write_settings(model_folder, replace(settings, training=training))
    write_memory(model_folder, data, kb)
    write_card(model_folder, kb.fingerprint, fitted, Path(__file__).name)
    seal_model(model_folder)
    write_base(out / "kb", target / "kb", model_folder)
    print(json.dumps({"ranker": ranker, "development": results}, indent=1))


if __name__ == "__main__":
    main()
