"""A linker of several kinds: which linker gets which mention, and what happens to the rest."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Linker, Mention
from biolink.errors import ConfigError
from biolink.infer.decide.nil import Threshold
from biolink.infer.linkers.kinds_linker import NOT_LINKED, KindsLinker
from biolink.infer.network.model import load_model
from biolink.kb.bases import KnowledgeBases

TEXT = "fever and Brca1 in mice, a p.V600E variant"


@dataclass(frozen=True)
class Options:
    top_k: int | None = 5


class ByName:
    """A linker of a further kind: a mention that is a name gets its owner, with a probability."""

    def __init__(self, concept: Concept, probability: float) -> None:
        self.kb = KnowledgeBase.from_concepts([concept])
        self.probability = probability
        self.options = Options()
        self.nil: Any = None
        self.seen: list[list[str]] = []
        self.prepared = False

    def prepare(self) -> None:
        self.prepared = True

    def knows(self, text: str) -> bool:
        return bool(self.kb.lookup(text))

    def with_settings(self, **changes: Any) -> ByName:
        other = ByName(next(iter(self.kb)), self.probability)
        other.nil = changes.get("nil", self.nil)
        other.options = replace(self.options, top_k=changes.get("top_k", self.options.top_k))
        return other

    def link_documents(
        self, documents: Sequence[Document], recognised: Collection[int] = ()
    ) -> list[Document]:
        self.seen.append([m.text for d in documents for m in d.mentions if m.links])
        return [d.with_mentions(map(self._linked, d.mentions)) for d in documents]

    def _linked(self, mention: Mention) -> Mention:
        if mention.type not in self.kb.types:
            return mention
        owners = self.kb.lookup(mention.text)
        links = tuple(Link(c.id, c.name, 0.0, self.probability, 1) for c in owners)
        return replace(mention, links=links, nil_reason=None if links else "no candidate")


def mention(text: str, kind: str = "") -> Mention:
    start = TEXT.index(text)
    return Mention(start, start + len(text), text, kind)


@pytest.fixture
def linker(model_folder: Path, kb: KnowledgeBase) -> KindsLinker:
    species = ByName(Concept("10090", "mice", types=("Species",)), 0.9)
    genes = ByName(Concept("12189", "Brca1", types=("Gene",), taxon="10090"), 0.8)
    return KindsLinker(Linker(load_model(model_folder), kb), [species, genes])


def test_each_mention_goes_to_the_linker_of_its_type(linker: KindsLinker) -> None:
    given = Document(
        "1",
        TEXT,
        mentions=(
            mention("fever", "Disease"),
            mention("Brca1", "Gene"),
            mention("mice", "Species"),
            mention("p.V600E", "SequenceVariant"),
        ),
    )
    (linked,) = linker.pipe([given], recognise=False)
    fever, gene, mice, variant = linked.mentions
    assert fever.best is not None
    assert fever.best.concept_id in linker.kb
    assert (gene.best.concept_id, mice.best.concept_id) == ("12189", "10090")  # type: ignore[union-attr]
    assert (variant.links, variant.nil_reason) == ((), NOT_LINKED)
    assert [m.text for m in linked.mentions] == [m.text for m in given.mentions]
    # The linker of genes sees the species that are linked already.
    assert linker.others[1].seen == [["mice"]]  # type: ignore[attr-defined]
    assert linker.main.link_documents([given.with_mentions([given.mentions[0]])])[0].mentions == (
        fever,
    )


def test_a_mention_without_a_type_gets_the_most_probable_link(linker: KindsLinker) -> None:
    given = Document("1", TEXT, mentions=(mention("fever"), mention("Brca1"), mention("mice")))
    fever, gene, mice = linker(given).mentions
    assert fever.type == ""
    assert fever.best == linker.main(given).mentions[0].best
    chosen = {m.text: (m.type, m.best and m.best.concept_id) for m in (gene, mice)}
    main = {m.text: m.best.probability for m in linker.main(given).mentions if m.best}
    assert max(main["Brca1"], main["mice"]) < 0.8
    assert chosen == {"Brca1": ("Gene", "12189"), "mice": ("Species", "10090")}


@pytest.mark.parametrize("kind", ["ENTITY", "DNA", "T047"])
def test_a_type_that_is_no_kind_says_nothing(linker: KindsLinker, kind: str) -> None:
    texts = ("fever", "Brca1", "mice")
    given = Document("1", TEXT, mentions=tuple(mention(text, kind) for text in texts))
    without = Document("1", TEXT, mentions=tuple(mention(text) for text in texts))
    linked, expected = linker.pipe([given, without], recognise=False)
    assert [m.best for m in linked.mentions] == [m.best for m in expected.mentions]
    assert [m.type for m in linked.mentions] == [kind, "Gene", "Species"]
    # A linker of genes alone links it, too.
    genes = KindsLinker(linker.main, linker.others, kinds=["Gene"])
    assert [m.type for m in genes(given).mentions] == [kind, "Gene", kind]


def test_a_type_of_a_base_chooses_its_linker(model_folder: Path) -> None:
    phenotypes = KnowledgeBase.from_concepts([Concept("1", "mice", types=("Phenotype",))])
    species = ByName(Concept("10090", "mice", types=("Species",)), 1.0)
    linker = KindsLinker(Linker(load_model(model_folder), phenotypes), [species])
    (mice,) = linker(Document("1", TEXT, mentions=(mention("mice", "Phenotype"),))).mentions
    assert (mice.type, mice.best and mice.best.concept_id) == ("Phenotype", "1")


def test_only_the_chosen_kinds_are_linked(linker: KindsLinker) -> None:
    some = KindsLinker(linker.main, linker.others, kinds=["Gene"])
    given = Document(
        "1",
        TEXT,
        mentions=(
            mention("fever", "Disease"),
            mention("Brca1", "Gene"),
            mention("mice", "Species"),
        ),
    )
    fever, gene, mice = some(given).mentions
    assert (fever.nil_reason, mice.nil_reason) == (NOT_LINKED, NOT_LINKED)
    assert gene.best is not None
    some.prepare()
    assert [part.prepared for part in some.others] == [False, True]  # type: ignore[attr-defined]


def test_settings_reach_all_kinds(linker: KindsLinker, kb: KnowledgeBase) -> None:
    other = linker.with_settings(nil=0.4, top_k=2)
    assert other.nil == Threshold(0.4)
    assert [part.nil for part in other.others] == [0.4, 0.4]  # type: ignore[attr-defined]
    assert [part.options.top_k for part in (other.main, *other.others)] == [2, 2, 2]
    assert linker.options.top_k != 2
    # Options of the main linker alone do not disturb the others.
    assert linker.with_settings(batch_size=3).options.batch_size == 3
    assert type(linker.with_kb(kb)) is Linker
    assert linker.bases.of("gene") is linker.others[1].kb
    assert linker.bases.of_mention("whatever") is linker.kb
    with pytest.raises(ConfigError, match="recognise=True needs a recogniser"):
        linker.pipe([], recognise=True)
    with pytest.raises(ConfigError):
        KindsLinker(kb, [])  # type: ignore[arg-type]


def test_it_travels(linker: KindsLinker) -> None:
    given = Document("1", TEXT, mentions=(mention("Brca1", "Gene"),))
    assert pickle.loads(pickle.dumps(linker))(given) == linker(given)


def test_bases_need_at_least_one() -> None:
    with pytest.raises(ConfigError, match="no knowledge base was given"):
        KnowledgeBases([])


def test_a_short_form_gets_the_kind_of_its_long_form(model_folder: Path) -> None:
    chemicals = KnowledgeBase.from_concepts([Concept("C1", "bisphenol A", types=("Chemical",))])
    genes = ByName(Concept("667", "BPA", types=("Gene",)), 0.9)
    linker = KindsLinker(Linker(load_model(model_folder), chemicals), [genes])
    text = "BPA (bisphenol A)"
    given = Document("1", text, mentions=(Mention(0, 3, "BPA", "Gene"),))
    (found,) = linker.link_documents([given], recognised={0})
    assert found.mentions[0].type == "Chemical"
    # What a user says is not changed.
    (said,) = linker.link_documents([given])
    assert said.mentions[0].type == "Gene"
