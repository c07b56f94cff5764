"""Link entities in a spaCy pipeline; the entities may come from a model of scispaCy.

python examples/spacy_pipeline.py                     # mentions are found by biolink's recogniser
python examples/spacy_pipeline.py en_ner_bc5cdr_md    # or by a model of scispaCy, if installed
"""

from __future__ import annotations

import sys
from pathlib import Path

import spacy
from spacy.tokens import DocBin

import biolink

ABSTRACTS = Path(__file__).parent / "data" / "bc5cdr_test_20.PubTator"


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else None
    nlp = spacy.blank("en") if name is None else spacy.load(name)
    if name is not None and "abbreviation_detector" not in nlp.pipe_names:
        try:
            from scispacy.abbreviation import AbbreviationDetector  # noqa: F401

            nlp.add_pipe("abbreviation_detector")
        except ImportError:
            print("scispaCy is not installed: its abbreviations are left out", file=sys.stderr)
    nlp.add_pipe("biolink")
    texts = [document.text for document in biolink.read(ABSTRACTS)][:10]
    # Each of the two processes loads the linker itself.
    docs = list(nlp.pipe(texts, n_process=2, batch_size=5))
    for doc in docs:
        for ent in doc.ents:
            best = ent._.links[0] if ent._.links else None
            print(
                f"{ent.start_char}\t{ent.text}\t{ent.label_}\t{ent.kb_id_ or 'NIL'}\t"
                f"{best.name if best else ent._.nil_reason}"
            )
    # Links are stored with the documents.
    stored = DocBin(store_user_data=True, docs=docs).to_bytes()
    again = list(DocBin(store_user_data=True).from_bytes(stored).get_docs(nlp.vocab))
    assert [e._.links for e in again[0].ents] == [e._.links for e in docs[0].ents]


if __name__ == "__main__":
    main()
