"""Parents, ancestors, branches, depths and distances, and the store that keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.errors import ConfigError, UnknownConceptError
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.concept import Dropped
from biolink.kb.homonyms import disambiguated
from biolink.kb.inspect import summarise, validate
from biolink.kb.sealed import seal
from biolink.kb.store import KIND, verify_store

#: Neoplasms and skin diseases are tops; breast neoplasms are below both.
CONCEPTS = [
    Concept("C04", "Neoplasms", taxon="9606"),
    Concept("C17", "Skin Diseases"),
    Concept("C04.1", "Neoplasms by Site", parents=("C04",)),
    Concept("C17.1", "Breast Diseases", parents=("C17",)),
    Concept("C04.1.1", "Breast Neoplasms", parents=("C04.1", "C17.1"), alternative_ids=("OLD",)),
    Concept("C04.1.1.1", "Inflammatory Breast Neoplasms", parents=("OLD", "none")),
    Concept("C23", "Fever"),
]


@pytest.fixture
def kb() -> KnowledgeBase:
    return KnowledgeBase.from_concepts(CONCEPTS, prefix="mu")


def ids(kb: KnowledgeBase) -> list[str]:
    return [concept.id for concept in kb]


def test_ancestors_are_given_nearest_first(kb: KnowledgeBase) -> None:
    above = ("C04.1.1", "C04.1", "C17.1", "C04", "C17")
    assert kb.ancestors("C04.1.1.1") == above
    assert kb.ancestors("mu:OLD") == above[1:]
    assert kb.ancestors("C04") == ()
    with pytest.raises(UnknownConceptError, match="has no concept 'C99'"):
        kb.ancestors("C99")


def test_a_branch_is_a_concept_and_all_below_it(kb: KnowledgeBase) -> None:
    assert ids(kb.subset(branch="C17")) == ["C17", "C17.1", "C04.1.1", "C04.1.1.1"]
    assert ids(kb.subset(branch="mu:OLD")) == ["C04.1.1", "C04.1.1.1"]
    both = ["C17.1", "C04.1.1", "C04.1.1.1", "C23"]
    for given_ids in ("C17.1, C23", ["C23", "C17.1"], {"C17.1", "C23"}):
        assert ids(kb.subset(branch=given_ids)) == both
    assert ids(kb.subset(branch="C17", ids=["C04", "C17.1"])) == ["C17.1"]
    with pytest.raises(ConfigError, match="branch has the id 'C99', which is not in the know"):
        kb.subset(branch="C17,C99")
    with pytest.raises(ConfigError, match="branch has no id"):
        kb.subset(branch=" , ")
    without = KnowledgeBase.from_concepts([Concept("1", "fever", parents=("2",))])
    with pytest.raises(ConfigError, match="no concept of the knowledge base has a parent in it"):
        without.subset(branch="1")


def test_distances(kb: KnowledgeBase) -> None:
    distances = {
        ("C04", "C04"): 0,
        ("C04", "C04.1"): 1,
        ("C04.1.1.1", "C04.1"): 2,
        ("C04.1", "C17.1"): None,  # a common child does not make them related
        ("C04.1.1", "C17"): 2,
        ("C04", "C23"): None,
    }
    for (first, second), distance in distances.items():
        assert kb.distance(first, second) == kb.distance(second, first) == distance


def test_depths(kb: KnowledgeBase) -> None:
    assert kb.depths().tolist() == [0, 0, 1, 1, 2, 3, 0]
    assert kb.subset(branch="C17.1").depths().tolist() == [-1, -1, -1, 0, 1, 2, -1]


def test_every_step_keeps_parents_and_taxa(kb: KnowledgeBase, tmp_path: Path) -> None:
    kb.save(tmp_path / "x.kb")
    opened = KnowledgeBase.open(tmp_path / "x.kb")
    other = KnowledgeBase.from_concepts([Concept("9", "ninth")])
    for same in (opened, kb.with_names([("C23", "Pyrexia")]), disambiguated(kb), kb.merge(other)):
        assert [c.parents for c in same][:7] == [c.parents for c in CONCEPTS]
        assert [c.taxon for c in same][:7] == [c.taxon for c in CONCEPTS]
        assert same.ancestors("C04.1.1.1") == kb.ancestors("C04.1.1.1")
    part = opened.subset(branch="C17").materialise()
    assert part.ancestors("C04.1.1") == ("C17.1", "C17")
    assert part["C04.1.1"].parents == ("C04.1", "C17.1")


def test_repeated_concepts_are_united_with_their_parents() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "fever", parents=("2",)),
            Concept("1", "pyrexia", parents=("2", "3"), taxon="9606"),
            Concept("2", "sign"),
        ]
    )
    assert (kb["1"].parents, kb["1"].taxon) == (("2", "3"), "9606")
    assert kb.ancestors("1") == ("2",)


def test_obsolete_parents_lead_to_what_replaced_them() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "fever", parents=("8", "2")),
            Concept("2", "sign"),
            Dropped("obsolete", "8", replaced_by="9"),
            Dropped("obsolete", "9", replaced_by="2"),
        ]
    )
    assert kb.ancestors("1") == ("2",)


def test_merging_leads_parents_to_the_concepts_that_they_joined() -> None:
    mesh = KnowledgeBase.from_concepts(
        [Concept("D1", "cancer"), Concept("D2", "breast cancer", parents=("D1",))], prefix="mesh"
    )
    mondo = KnowledgeBase.from_concepts(
        [
            Concept("M1", "tumour", xrefs=("mesh:D1",)),
            Concept("M2", "malignant tumour", xrefs=("mesh:D1",), parents=("M1",)),
            Concept("M3", "lung cancer", parents=("M2",)),
            Concept("M4", "breast carcinoma", xrefs=("mesh:D2",), parents=("M3", "M2")),
        ]
    )
    merged = mesh.merge(mondo)
    assert merged["D1"].parents == ()  # M1 and M2 are both D1 now
    assert merged["D2"].parents == ("D1", "M3")
    assert merged["M3"].parents == ("D1",)
    assert mesh.merge(mondo, unmatched=False).ancestors("D2") == ("D1",)


def as_version_2(folder: Path) -> None:
    """Turn a store into one of the version before, which had neither parents nor taxa."""
    with pa.ipc.open_file(folder / "concepts.arrow") as reader:
        table = reader.read_all().drop_columns(["parents", "taxon"])
    with pa.ipc.new_file(folder / "concepts.arrow", table.schema) as writer:
        writer.write_table(table)
    before = replace(KIND, version=2, files=tuple(f for f in KIND.files if "parent" not in f))
    for name in set(KIND.files) - set(before.files):
        (folder / name).unlink()
    entries = json.loads((folder / "manifest.json").read_text())
    own = {"format", "version", "files", "checksum"}
    seal(folder, before, {key: value for key, value in entries.items() if key not in own})


def test_a_store_of_the_version_before_opens_without_parents(
    kb: KnowledgeBase, tmp_path: Path
) -> None:
    kb.save(tmp_path / "x.kb")
    as_version_2(tmp_path / "x.kb")
    old = KnowledgeBase.open(tmp_path / "x.kb")
    assert list(old) == [replace(c, parents=(), taxon="") for c in CONCEPTS]
    assert (old.fingerprint, old.ancestors("C04.1.1")) == (kb.fingerprint, ())
    assert verify_store(tmp_path / "x.kb") == []
    old.save(tmp_path / "y.kb")
    assert json.loads((tmp_path / "y.kb" / "manifest.json").read_text())["version"] == 3
    assert list(KnowledgeBase.open(tmp_path / "y.kb")) == list(old)


def test_cycles_stop_nothing_and_are_reported() -> None:
    kb = KnowledgeBase.from_concepts(
        [
            Concept("1", "a", parents=("2",)),
            Concept("2", "b", parents=("1", "3")),
            Concept("3", "c", parents=("3",)),
            Concept("4", "d", parents=("1",)),
            Concept("5", "e"),
        ]
    )
    assert kb.ancestors("4") == ("1", "2", "3")
    assert kb.ancestors("3") == ()
    assert ids(kb.subset(branch="2")) == ["1", "2", "4"]
    assert kb.depths().tolist() == [-1, -1, -1, -1, 0]
    found = {finding.what: finding for finding in validate(kb)}
    finding = found["concepts that are their own ancestors (cycles of parents)"]
    assert (finding.count, finding.examples) == (3, ("1", "2", "3"))


def test_missing_parents_are_counted(kb: KnowledgeBase) -> None:
    what = "parents that are not in the knowledge base"
    assert summarise(kb)[what] == 1
    assert summarise(kb)["concepts with a parent"] == 4
    assert summarise(kb)["concepts with a taxon"] == 1
    found = {finding.what: finding for finding in validate(kb)}
    assert (found[what].count, found[what].examples) == (1, ("C04.1.1.1: none",))
    # The parents of a part that lie outside it are missing there.
    assert summarise(kb.subset(branch="C17"))[what] == 2


NAMES = "abcdefgh"


@st.composite
def hierarchies(draw: st.DrawFn) -> list[Concept]:
    """A few concepts with any parents at all: cycles, themselves, and some that are missing."""
    count = draw(st.integers(1, len(NAMES) - 1))
    parents = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
    return [Concept(i, f"name {i}", parents=tuple(draw(parents))) for i in NAMES[:count]]


def paths_up(kb: KnowledgeBase, concept: str) -> Iterator[tuple[str, ...]]:
    """All paths from a concept to each of its ancestors, without repeats, and to itself."""

    def longer(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for parent in kb[path[-1]].parents:
            if parent in kb and parent not in path:
                yield from longer((*path, parent))

    return longer((concept,))


@given(hierarchies())
def test_walks_agree_with_all_paths(concepts: list[Concept]) -> None:
    kb = KnowledgeBase.from_concepts(concepts)
    steps: dict[str, dict[str, int]] = {}
    for concept in concepts:
        shortest = steps.setdefault(concept.id, {})
        for path in paths_up(kb, concept.id):
            shortest[path[-1]] = min(len(path) - 1, shortest.get(path[-1], len(path)))
    for concept in concepts:
        near = steps[concept.id]
        above = kb.ancestors(concept.id)
        assert set(above) == near.keys() - {concept.id}
        assert [near[i] for i in above] == sorted(near[i] for i in above)
        if kb.has_hierarchy:
            inside = ids(kb.subset(branch=concept.id))
            assert inside == [i for i in steps if concept.id in steps[i]]
        for other in concepts:
            common = near.keys() & steps[other.id].keys()
            shortest_path = min((near[i] + steps[other.id][i] for i in common), default=None)
            assert kb.distance(concept.id, other.id) == shortest_path
    tops = {c.id for c in concepts if not any(parent in kb for parent in c.parents)}
    depths = [min((steps[i][t] for t in tops & steps[i].keys()), default=-1) for i in steps]
    assert kb.depths().tolist() == depths
    own = [kb.row_of(c.id) for c in concepts for p in c.parents if p in kb and c.id in steps[p]]
    assert kb.rows_in_cycles() == sorted(set(own))


@given(hierarchies(), st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_part_has_the_hierarchy_that_it_has_when_it_is_stored(
    concepts: list[Concept], chosen: set[str]
) -> None:
    kb = KnowledgeBase.from_concepts([*concepts, Concept("z", "last")])
    part = kb.subset(ids={*chosen, "z"})
    alone = part.materialise()
    for concept in part:
        assert part.ancestors(concept.id) == alone.ancestors(concept.id)
        assert part.distance(concept.id, "z") == alone.distance(concept.id, "z")
        if part.has_hierarchy and alone.has_hierarchy:
            assert ids(part.subset(branch=concept.id)) == ids(alone.subset(branch=concept.id))
    rows = np.flatnonzero(part.row_mask)  # type: ignore[arg-type]
    assert part.depths()[rows].tolist() == alone.depths().tolist()
    assert [part.id_at(row) for row in part.rows_in_cycles()] == [
        alone.id_at(row) for row in alone.rows_in_cycles()
    ]
