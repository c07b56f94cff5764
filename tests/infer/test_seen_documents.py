"""The list of documents on which a model was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from biolink.documents import Document, Passage
from biolink.errors import ModelError
from biolink.infer.seen_documents import SeenDocuments, fingerprints, write_seen_documents
from biolink.kb.model_files import SEEN_DOCUMENTS

TITLE = "Naloxone reverses the antihypertensive effect of clonidine."
ABSTRACT = "In unanesthetized, spontaneously hypertensive rats it was 5 to 20 µg/kg."
WHOLE = Document("227508", f"{TITLE}\n{ABSTRACT}")


def test_a_document_is_known_in_other_forms(tmp_path: Path) -> None:
    write_seen_documents(tmp_path, [WHOLE])
    seen = SeenDocuments(tmp_path)
    text = f"{TITLE.upper()}   {ABSTRACT.replace('µ', 'μ').replace(',', ' ,')}"
    for other in (
        WHOLE,
        Document("x", text),  # one line, another case, other spaces, another mu
        Document("", TITLE.replace(" ", "\N{NO-BREAK SPACE}")),  # the title alone
        Document("", f"{TITLE}\n\nAnother abstract."),
        Document("", f"{TITLE} {ABSTRACT} More.", passages=(Passage(0, len(TITLE)),)),
    ):
        assert other in seen, other
    for other in (
        Document("227508", "Another text with the same number as the one above."),
        Document("", ABSTRACT),
        Document("", ""),
    ):
        assert other not in seen, other


def test_short_titles_identify_no_document(tmp_path: Path) -> None:
    write_seen_documents(tmp_path, [Document("1", "Case report.\nA man came with a fever.")])
    assert Document("2", "Case report.\nA woman went away.") not in SeenDocuments(tmp_path)
    assert len(fingerprints(Document("1", "Case report.\nA man came with a fever."))) == 1


def test_later_training_adds_and_the_file_is_the_same_whatever_the_order(tmp_path: Path) -> None:
    documents = [
        Document(str(n), f"Title number {n} of the documents of this test\nx") for n in range(4)
    ]
    write_seen_documents(tmp_path, documents[:2])
    file = write_seen_documents(tmp_path, reversed(documents))
    assert file == tmp_path / SEEN_DOCUMENTS
    (tmp_path / "again").mkdir()
    assert write_seen_documents(tmp_path / "again", documents).read_bytes() == file.read_bytes()
    assert all(document in SeenDocuments(tmp_path) for document in documents)


def test_a_missing_file_means_no_documents_and_damage_is_named(tmp_path: Path) -> None:
    assert WHOLE not in SeenDocuments(tmp_path)
    assert WHOLE not in SeenDocuments(None)
    for text in (
        "{", "[]", "5", '{"kind": "biolink-seen-documents", "version": 1, "sha256_64": [5]}',
        '{"kind": "other", "version": 1, "sha256_64": []}',
        '{"kind": "biolink-seen-documents", "version": 2, "sha256_64": []}',
    ):  # fmt: skip
        (tmp_path / SEEN_DOCUMENTS).write_text(text)
        seen = SeenDocuments(tmp_path)  # read when asked, not before
        with pytest.raises(ModelError, match=SEEN_DOCUMENTS):
            assert WHOLE in seen
