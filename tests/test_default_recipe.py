"""The training documents of the embedded default include no test document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from biolink import Document, KnowledgeBase, Mention
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.rank.features import CONTEXTUAL, FEATURES, Candidates, column_of
from biolink.kb import Concept

ROOT = Path(__file__).parents[1]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """A function that imports a module of the recipe, which is not importable afterwards."""
    folder = ROOT / "examples" / "default_model"
    monkeypatch.syspath_prepend(str(folder))
    yield import_module
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").parent == folder:
            del sys.modules[name]


@pytest.mark.corpus
def test_no_held_out_document_is_used_for_training(
    data_folder: Path, recipe: Callable[[str], ModuleType]
) -> None:
    corpora = recipe("corpora")
    main, test, read_corpus = corpora.MAIN, corpora.TEST, corpora.read_corpus
    training = corpora.training_documents(data_folder)
    assert [len(documents) for documents in training[: len(main)]] == [593, 500]
    # BioRED shares 99 and 23 documents with the held-out sets.
    assert [len(documents) for documents in training[len(main) :]] == [301, 77, 98]
    ids = {document.id for documents in training for document in documents}
    titles = {document.text.splitlines()[0] for part in training for document in part}
    for name in (*corpora.DEVELOPMENT, *test):
        for document in read_corpus(data_folder, name):
            assert document.id not in ids
            assert document.text.splitlines()[0] not in titles
    assert len(corpora.FURTHER) == 3
    # The final model is trained on development documents, but on none of a test set.
    final = corpora.document_sets(data_folder)["final"]
    assert len(final) == sum(map(len, training)) + 599
    ids = {document.id for document in final}
    titles = {document.text.splitlines()[0] for document in final}
    for name in test:
        for document in read_corpus(data_folder, name):
            assert document.id not in ids
            assert document.text.splitlines()[0] not in titles


@pytest.mark.corpus
def test_the_recogniser_learns_from_no_held_out_document(
    data_folder: Path, recipe: Callable[[str], ModuleType]
) -> None:
    """It learns from none, neither by id nor by title."""
    corpora = recipe("recogniser_corpora")
    read = recipe("corpora").read_documents
    dictionary = DictionaryRecogniser(KnowledgeBase.from_concepts([Concept("1", "aspirin")]))
    training = corpora.training_corpora(data_folder, dictionary)
    assert [len(corpus.documents) for corpus in training] == [
        220, 490, 590, 321, 430, 429, 573, 72, 2716, 5349, 91, 2634, 60,
    ]  # fmt: skip
    tests = [data_folder / name for name in (*corpora.TEST, *corpora.GENE_TESTS, corpora.GSC)]
    tested = {d.id for file in tests for d in read(file)}
    development = corpora.development_sets(data_folder)
    tenths = {d.id for c in development if c.name.startswith("a tenth") for d in c.documents}
    assert len(tenths) == 66 + 8 + 855 + 7
    held_out = tested | {d.id for corpus in development for d in corpus.documents}
    titles = {d.text.splitlines()[0] for c in development for d in c.documents}
    for corpus in training:
        assert held_out.isdisjoint(d.id for d in corpus.documents), corpus.name
        assert titles.isdisjoint(d.text.splitlines()[0] for d in corpus.documents), corpus.name


def test_biored_decides_what_species_are(recipe: Callable[[str], ModuleType]) -> None:
    text = "patients and children: children of patients, mice"
    species = [
        Mention(text.index(word), text.index(word) + len(word), word, "OrganismTaxon")
        for word in ("patients", "mice")
    ]
    marked = Document("1", text, mentions=tuple(species))
    names, never = recipe("recogniser_corpora").species_words([marked])
    # Patients are marked once of two times.
    assert names.findall("Mice, children, patients, inpatients") == ["Mice", "patients"]
    assert never == {"children"}


def test_f1_counts_spans_that_may_be_left_out_only_if_marked(
    recipe: Callable[[str], ModuleType],
) -> None:
    corpora, recogniser = recipe("recogniser_corpora"), recipe("recogniser")
    text = "patients with E. coli and mice"
    gold = Document("1", text, mentions=(Mention(14, 21, "E. coli", "Species"),))
    found = gold.with_mentions(
        Mention(a, b, text[a:b], "Species") for a, b in ((0, 8), (14, 21), (26, 30))
    )
    open_spans = [(0, 8, "Species"), (14, 21, "Species")]
    corpus = corpora.Corpus("S800", [gold], ("Species",), unsure=lambda document: open_spans)
    assert recogniser.measured([found], corpus)["Species"] == (0.5, 1.0, pytest.approx(2 / 3))


@pytest.fixture
def fitting(recipe: Callable[[str], ModuleType]) -> ModuleType:
    return recipe("fitting")


def test_ablations_name_features(fitting: ModuleType) -> None:
    for group, names in fitting.ABLATIONS.items():
        assert names and set(names) <= set(FEATURES), group


def test_what_a_stage_ranks_may_hardly_differ(fitting: ModuleType, tmp_path: Path) -> None:
    """The margin is as small as it may be; without one that will do, there is no stage."""

    def seen(*kinds: tuple[int, int, tuple[float, float]]) -> Any:
        """So many examples of each kind: number, gold row, and cosines of two candidates."""
        every, early, gold = [], [], []
        ids = np.arange(2)
        for count, row, dense in kinds:
            features = np.zeros((2, len(FEATURES)))
            features[:, column_of("dense")] = dense
            early += [Candidates(ids, ids, features.copy())] * count
            # Only the context always tells the right concept.
            features[row, column_of("context")] = 1.0
            every += [Candidates(ids, ids, features)] * count
            gold += [(row,)] * count
        size = len(gold)
        folds = [number % 2 for number in range(size)]
        return fitting.Examples(
            every, early, every, gold, folds, [1 / size] * size, ["tmVar 3"] * size
        )

    def fitted(examples: Any, left_out: int = 0) -> tuple[Any, np.ndarray, dict[str, Any]]:
        counts = examples.counts
        arguments = (examples.candidates, examples.gold, examples.folds, counts)
        fit = fitting.fit_weights(*fitting.with_untyped(*arguments))
        weights = fitting.Weights(fit.weights, fit.nil_weights)
        every = [fitting.ranked(candidates, weights) for candidates in examples.candidates]
        reached = np.arange(len(every)) >= left_out
        return fitting.fit_stage(examples.early, CONTEXTUAL, examples, counts, every, reached)

    # Twenty are clear. Of those that look alike, a third is something else in its context.
    examples = seen((20, 0, (0.9, 0.1)), (4, 0, (0.505, 0.495)), (2, 1, (0.505, 0.495)))
    early, further, results = fitted(examples)
    assert early.margin == min(fitting.MARGINS)
    assert results["margin 1"] == {
        "ranked": pytest.approx(20 / 26), "another best": 0.0, "fewer right": 0.0,
    }  # fmt: skip
    assert further.tolist() == [False] * 20 + [True] * 6
    # A later stage ranks only those that reach it.
    _, further, results = fitted(examples, left_out=5)
    assert results["margin 1"]["ranked"] == pytest.approx(15 / 26) and further.sum() == 6
    used = dict(zip(FEATURES, early.weights.candidates, strict=True))
    assert used["dense"] > 0 and not any(used[name] for name in CONTEXTUAL)
    # Of those that are ranked early with the least margin, a quarter would get another concept.
    nothing, further, results = fitted(seen((18, 0, (0.9, 0.1)), (6, 1, (0.9, 0.1))))
    assert nothing is None and further.all()
    assert results["margin 1"] == {
        "ranked": pytest.approx(1), "another best": pytest.approx(0.25),
        "fewer right": pytest.approx(0.25),
    }  # fmt: skip
    examples.save(tmp_path / "x.npz")
    again = fitting.Examples.load(tmp_path / "x.npz")
    for name in ("candidates", "early", "in_context"):
        for one, other in zip(getattr(examples, name), getattr(again, name), strict=True):
            assert np.array_equal(one.features, other.features)
    assert (again.gold, again.folds, again.sets) == (examples.gold, examples.folds, examples.sets)


def test_files_that_are_no_knowledge_base_are_left_out(
    tmp_path: Path,
    recipe: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
) -> None:
    other_concepts = recipe("ontologies").other_concepts
    for name, text in (
        ("mesh/a.csv", "id,name\n1,one\n"),
        ("fevers/b.csv", "id,name\n2,two\n"),
        ("fevers/c.csv", "left,right\n3,three\n"),
        ("fevers/d.csv", "id,name\n4,four\n"),
    ):
        file = tmp_path / "kb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert [concept.id for concept in other_concepts(tmp_path)] == ["2", "4"]
    left_out = capsys.readouterr().err
    assert left_out.count("left out:") == 1 and "c.csv" in left_out
