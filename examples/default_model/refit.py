"""Fit the weights of the shipped model anew, over a base that was built anew.

    python examples/default_model/build_kb.py --data ../shared/data --out build/default
    python examples/default_model/refit.py --data ../shared/data --out build/default \\
        --target biolink/embedded

The model as it was before it saw the development documents was not kept, so most of the weight is
on documents that it was never trained on (``SHARES`` in ``fitting.py``). What it remembers of
training documents leaves out the documents that are fitted on.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from itertools import islice
from pathlib import Path

from build_kb import ANNOTATED
from corpora import MAIN, training_documents
from fitting import (
    fit,
    fitting_sets,
    known_abbreviations,
    stop_names,
    write_base,
    write_json,
    write_memory,
)
from train import ABSTRACTS, whole_texts

from biolink.finetune.samples import annotation_counts
from biolink.infer.linker import Linker, LinkerOptions
from biolink.infer.model import SETTINGS, load_model
from biolink.infer.ranker import FEATURES, NIL_FEATURES, Ranker
from biolink.kb import KnowledgeBase


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    arguments = parser.parse_args()
    data, model_folder = arguments.data, arguments.target / "model"
    kb = KnowledgeBase.open(arguments.out / "kb")
    # Nothing that the development documents alone say takes part in the fit.
    part = kb.subset(predicate=lambda concept: concept.source != ANNOTATED["development"])
    corpora = training_documents(data)
    remembered = [document for corpus in corpora[:3] for document in corpus]
    stops = stop_names(corpora[: len(MAIN)], part)
    # Short forms are learnt from one half of the texts and asked for in the other.
    abbreviations = known_abbreviations(islice(whole_texts(data), 0, None, 2), remembered, part)
    texts = list(islice(whole_texts(data), 1, ABSTRACTS, 2))
    random.Random(0).shuffle(texts)
    model = load_model(model_folder)
    zeros = dict.fromkeys(FEATURES, 0.0), dict.fromkeys(NIL_FEATURES, 0.0)
    ranker = Ranker.from_dict(
        {"weights": zeros[0], "nil": zeros[1]}, annotation_counts(remembered, part), abbreviations
    )
    linker = Linker(replace(model, ranker=ranker), part, LinkerOptions())
    fitted, results = fit(linker, fitting_sets(data, part, texts, stops))
    settings = json.loads((model_folder / SETTINGS).read_text(encoding="utf-8"))
    settings["ranker"] = Ranker(fitted.weights, fitted.nil_weights).to_dict()
    settings["development"] = results
    settings["training"]["knowledge_base"] = kb.fingerprint
    write_json(model_folder / SETTINGS, settings, 1)
    write_memory(model_folder, data, kb)
    write_base(arguments.out / "kb", arguments.target / "kb", model_folder)
    print(json.dumps({"ranker": settings["ranker"], "development": results}, indent=1))


if __name__ == "__main__":
    main()
