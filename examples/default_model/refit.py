"""Fit the weights of the shipped model again, for a knowledge base that was built again.

    python examples/default_model/build_kb.py --data ../shared/data --out build/default
    python examples/default_model/refit.py --data ../shared/data --out build/default \\
        --target biolink/embedded

The state of the model before it was trained on the development documents was not kept. Most of the
weight is therefore on documents on which it was never trained (``SHARES`` in ``fitting_sets.py``).
The data that the model keeps of training documents exclude the documents of the fit.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from fitting import fit_model, write_base, write_card, write_memory

from biolink.kb import KnowledgeBase
from biolink.kb.model_folder import seal_model, settings_of, write_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    arguments = parser.parse_args()
    data, model_folder = arguments.data, arguments.target / "model"
    kb = KnowledgeBase.open(arguments.out / "kb")
    # The present weights may be those of other features, with which the model cannot be loaded.
    write_settings(model_folder, replace(settings_of(model_folder), ranker=None))
    seal_model(model_folder)
    fitted, fitted_ranker, results = fit_model(
        model_folder, data, kb, arguments.out / "examples.npz"
    )
    ranker = fitted_ranker.to_dict()
    settings = settings_of(model_folder)
    training = settings.training | {"knowledge_base": kb.fingerprint}
    settings = replace(settings, ranker=ranker, development=results, training=training)
    write_settings(model_folder, settings)
    write_memory(model_folder, data, kb)
    write_card(model_folder, kb.fingerprint, fitted, Path(__file__).name)
    seal_model(model_folder)
    write_base(arguments.out / "kb", arguments.target / "kb", model_folder)
    print(json.dumps({"ranker": ranker, "development": results}, indent=1))


if __name__ == "__main__":
    main()
