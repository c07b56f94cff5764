"""Make the model of a trained recogniser suitable for predicting development documents.

    python examples/default_model/for_development.py --data DATA --model recogniser/model

The embedded model has data on how training *and* development documents link each mention. The
program replaces them in the given copy by data on the training documents alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from corpora import training_documents

from biolink.finetune.samples import annotation_counts
from biolink.kb import KnowledgeBase
from biolink.kb.files import replace_file
from biolink.kb.model_files import ANNOTATIONS
from biolink.kb.model_folder import renew_seal
from biolink.pipeline import EMBEDDED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    documents = [document for corpus in training_documents(arguments.data) for document in corpus]
    counts = annotation_counts(documents, KnowledgeBase.open(EMBEDDED / "kb"))
    with replace_file(arguments.model / ANNOTATIONS) as stream:
        json.dump(counts, stream, ensure_ascii=False)
    renew_seal(arguments.model / ANNOTATIONS)
    print(
        f"{arguments.model / ANNOTATIONS}: {len(counts):,} mentions of {len(documents):,} documents"
    )


if __name__ == "__main__":
    main()
