"""Genes in documents: ids with species, and the reason why a link is to a gene of its species."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from biolink.documents import Document, Link, Mention
from biolink.evaluation.measures import evaluate
from biolink.formats import load, write
from biolink.kb import Concept, KnowledgeBase

REASON = "taxon 10090: its species is named in the title"
LINK = Link("26972", "Spo11", -0.1, 0.9, 1, curie="NCBIGene:26972", reason=REASON)


def test_ids_with_species_are_those_of_genes(tmp_path: Path) -> None:
    file = tmp_path / "genes.PubTator"
    file.write_text("1|t|SPO11 and Spo11\n1|a|\n1\t0\t5\tSPO11\tGene\t23626,26972(Tax:10090)\n\n")
    (document,) = load("pubtator").read(file)
    (mention,) = document.mentions
    assert mention.concept_ids == ("23626", "26972(Tax:10090)")
    kb = KnowledgeBase.from_concepts(
        [Concept("23626", "SPO11", taxon="9606"), Concept("26972", "Spo11", taxon="10090")]
    )
    assert [kb.resolve(i) for i in mention.concept_ids] == ["23626", "26972"]
    linked = document.with_mentions([replace(mention, links=(LINK,))])
    assert evaluate([linked], kb=kb).strict.recall_at_1 == 1
    assert evaluate([linked]).strict.recall_at_1 == 1
    # The species is kept where the document is written again.
    write([document], tmp_path / "again.PubTator")
    assert "26972(Tax:10090)" in (tmp_path / "again.PubTator").read_text()


def test_reasons_are_written(tmp_path: Path) -> None:
    document = Document("1", "Spo11", mentions=(Mention(0, 5, "Spo11", "Gene", links=(LINK,)),))
    for name in ("linked.jsonl", "linked.json", "linked.html", "linked.xml"):
        write([document], tmp_path / name, **({"format": "bioc-xml"} if "xml" in name else {}))
        assert REASON in (tmp_path / name).read_text(), name
    (again,) = load("jsonl").read(tmp_path / "linked.jsonl")
    assert again.mentions[0].best == LINK
    plain = document.with_mentions(
        [replace(document.mentions[0], links=(replace(LINK, reason=""),))]
    )
    write([plain], tmp_path / "plain.jsonl")
    assert "reason" not in (tmp_path / "plain.jsonl").read_text()
