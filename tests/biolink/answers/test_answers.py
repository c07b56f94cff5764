"""Terms, concepts and ids: the answers that the service, agents and tables share."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest

import biolink
from biolink.answers.choosing import Choice, chosen
from biolink.answers.concepts import bases_described, concept, search, verify
from biolink.answers.linking import NO_TEXT, link_terms, link_text, term_document
from biolink.errors import ConfigError, UnknownConceptError
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.bases import KnowledgeBases
from biolink.pipeline import default_linker


@pytest.fixture(scope="module")
def linker() -> Any:
    return default_linker()


class Counting:
    """A linker that counts the documents that it links."""

    def __init__(self, linker: Any) -> None:
        self.documents = 0
        self._linker, self._link = linker, linker.link_documents

    def __call__(self, documents: Any, recognised: Any = ()) -> Any:
        self.documents += len(documents)
        return self._link(documents, recognised)


def test_terms_are_linked_in_order_and_distinct_ones_once(
    linker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(linker)
    monkeypatch.setattr(type(linker), "link_documents", lambda _, *given: counting(*given))
    done: list[tuple[int, int]] = []
    links = link_terms(
        ["asthma", "aspirin", "asthma", "", None, "  "],
        linker,
        progress=lambda *pair: done.append(pair),
    )
    assert [link.curie for link in links] == ["mesh:D001249", "mesh:D001241", "mesh:D001249"] + [
        ""
    ] * 3
    assert [link.nil_reason for link in links] == [None] * 3 + [NO_TEXT] * 3
    assert counting.documents == 2
    assert done == [(4, 4)]  # the missing terms are two: an empty one, and one of white space


def test_a_term_that_is_nil_keeps_its_candidates(linker: Any) -> None:
    (link,) = link_terms(["qwertyzz"], linker)
    assert (link.id, link.curie, link.name, link.probability) == ("", "", "", None)
    assert link.nil_reason is not None
    assert link.nil_reason.startswith("NIL has probability")
    assert link.alternatives
    assert link.alternatives[0].curie
    (strict,) = link_terms(["asthma"], linker.with_settings(nil=1.0))
    assert strict.nil_reason is not None
    assert strict.nil_reason.endswith("below threshold 1")


def test_types_and_taxa_choose(linker: Any) -> None:
    (gene,) = link_terms(["p53"], linker, types="gene", taxa="10090")
    assert (gene.curie, gene.type) == ("NCBIGene:22059", "Gene")
    # A cell line is none of the diseases and chemicals.
    (cell,) = link_terms(["HeLa"], linker)
    assert cell.type == "CellLine"
    for link in link_terms(["HeLa"], linker, types=["disease", "chemical"]):
        assert link.type in ("", "Disease", "Chemical")


def test_the_context_decides(linker: Any) -> None:
    contexts = ["Trp53 was knocked out in mice.", "Women with a mutation of TP53."]
    mouse, human = link_terms(["p53", "p53"], linker, contexts=contexts, types="gene")
    assert (mouse.curie, human.curie) == ("NCBIGene:22059", "NCBIGene:7157")
    with pytest.raises(ConfigError, match="1 contexts and 2 terms"):
        link_terms(["p53", "p53"], linker, contexts=["x"])


def test_the_place_of_a_term() -> None:
    document = term_document("gout", "Allgout, then Gout.")
    (mention,) = document.mentions
    assert (mention.text, mention.start) == ("Gout", 14)
    long = term_document("gout", "a " * 50_000 + "gout" + " b" * 50_000)
    assert len(long.text) < 5000
    assert long.mentions[0].text == "gout"
    assert term_document(" gout ", "").text == "gout"


def test_answers_equal_those_of_the_linker(linker: Any) -> None:
    terms = ["breast cancer", "BRCA1", "mouse", "p53", "HeLa", "aspirin"]
    for term, link in zip(terms, link_terms(terms, linker), strict=True):
        mention = linker(term, spans=[(0, len(term))]).mentions[0]
        assert mention.best.curie == link.curie
        assert mention.best.probability == link.probability
        assert [c.curie for c in link.alternatives] == [x.curie for x in mention.links[1:]]


def test_series(linker: Any) -> None:
    values = ["asthma", None, "asthma"]
    table = biolink.link_terms(pd.Series(values, index=[5, 6, 7]), linker)
    assert list(table.index) == [5, 6, 7]
    assert list(table["curie"]) == ["mesh:D001249", "", "mesh:D001249"]
    frame = biolink.link_terms(pl.Series(values), linker)
    assert frame["curie"].to_list() == list(table["curie"])
    assert frame["nil_reason"].to_list() == [None, NO_TEXT, None]


def test_wrong_terms(linker: Any) -> None:
    with pytest.raises(ConfigError, match="terms is 'asthma'"):
        link_terms("asthma", linker)
    with pytest.raises(ConfigError, match=r"term 2 is 5 \(int\); expected a string"):
        link_terms(["asthma", 5], linker)


def test_a_part_of_the_default_is_that_of_load(linker: Any) -> None:
    text = "Women with BRCA1 mutations and breast cancer took aspirin; mice with p53 did not."
    for types in ("disease", "gene,species", "chemical,gene"):
        got = link_text(linker, text, Choice(types=types)).mentions
        expected = biolink.load(types=types)(text).mentions
        assert [(m.text, m.best and m.best.curie) for m in got] == [
            (m.text, m.best and m.best.curie) for m in expected
        ]
    branch = link_text(linker, text, Choice(branch="D009369")).mentions
    assert [m.text for m in branch if m.best] == ["breast cancer"]
    one = chosen(linker, Choice(top_k=1, nil=0.2))
    assert all(len(m.links) <= 1 for m in one(text).mentions)
    with pytest.raises(ConfigError, match="taxa"):
        chosen(linker, Choice.of(types="disease", taxa="9606"))
    with pytest.raises(ConfigError, match="not linked here"):
        chosen(chosen(linker, Choice(types="disease")), Choice(types="gene"))


def test_search_concept_and_verify(linker: Any) -> None:
    bases = linker.linked_bases
    hits = search(bases, "kennedy disease", 3)
    assert (hits[0].curie, hits[0].how) == ("mesh:D055534", "name")
    assert [hit.how for hit in hits[-3:]] == ["similar"] * 3
    entry = concept(bases, "mesh:D001943")
    assert entry.name == "Breast Neoplasms"
    assert entry.url.endswith("D001943")
    assert "mesh:D009369" in [above.curie for above in entry.ancestors]
    gene = concept(bases, "NCBIGene:672")
    assert gene.taxon == "NCBITaxon:9606"
    with pytest.raises(UnknownConceptError):
        concept(bases, "mesh:D999999")
    right, wrong = verify(bases, ["mesh:D001943", "mesh:D999999"])
    assert (right.status, right.name, right.exists) == ("current", "Breast Neoplasms", True)
    assert (wrong.status, wrong.exists) == ("unknown", False)
    assert [base.version for base in bases_described(bases)] == [biolink.__version__] * 4


def test_an_id_of_several_bases() -> None:
    bases = KnowledgeBases(
        [
            KnowledgeBase.from_concepts([Concept("1", "fever", types=("Disease",))], prefix="a"),
            KnowledgeBase.from_concepts(
                [Concept("1", "BRCA1", types=("Gene",), alternative_ids=("2",))], prefix="b"
            ),
        ]
    )
    with pytest.raises(ConfigError, match=r"expected one of a:1 \(fever\), b:1 \(BRCA1\)"):
        concept(bases, "1")
    several, old = verify(bases, ["1", "b:2"])
    assert several.status == "ambiguous"
    assert [candidate.curie for candidate in several.candidates] == ["a:1", "b:1"]
    assert (old.status, old.exists, old.replaced_by) == ("replaced", False, "b:1")
