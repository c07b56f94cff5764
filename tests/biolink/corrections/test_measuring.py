"""What corrections do for other documents, and weights that are fitted on them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import biolink
from biolink import Document, Mention
from biolink.corrections.acts import Act, Meaning
from biolink.corrections.files import read_corrections, write_corrections
from biolink.corrections.learning import Lesson, learn, lessons_of, remembering
from biolink.corrections.measuring import before_after
from biolink.errors import ConfigError
from biolink.finetune.refit import refit
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.rank.features import NIL_FEATURES
from biolink.infer.rank.ranker import Ranker, Weights
from biolink.pretrain.training.start import extend_model
from tests.commands import run

FEVER = Meaning("D005334", "mesh:D005334", "Fever")
ASTHMA = Meaning("D001249", "mesh:D001249", "Asthma")


@pytest.fixture(scope="module")
def linker() -> biolink.pipeline.AnyLinker:
    return biolink.load()


def corrected(folder: Path, number: int, mentions: dict[str, Meaning | None]) -> Path:
    """A file with documents in each of which the same mentions are decided."""
    documents = []
    for n in range(number):
        text = f"Case {n}: " + " and ".join(mentions) + "."
        given = [Mention(text.index(m), text.index(m) + len(m), m, "Disease") for m in mentions]
        linked = Document(str(n), text, mentions=tuple(given))
        acts = [
            Act("nil" if c is None else "choose", str(n), i, m.start, m.end, m.text, "Disease",
                () if c is None else (c,))
            for i, (m, c) in enumerate(zip(given, mentions.values(), strict=True))
        ]  # fmt: skip
        documents.append((linked, acts))
    write_corrections(folder / "c.jsonl", documents)
    return folder / "c.jsonl"


def lessons(folder: Path, number: int, mentions: dict[str, Meaning | None]) -> list[Lesson]:
    return lessons_of(read_corrections(corrected(folder, number, mentions)))


def test_before_and_after_on_other_documents(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    given = lessons(tmp_path, 3, {"hot spells": FEVER, "asthma": ASTHMA, "gout": None})
    measured = before_after(linker, given)  # type: ignore[arg-type]
    assert (measured.documents, measured.mentions, measured.learnt) == (3, 9, 0)
    assert (measured.before, measured.after) == (3, 9)
    assert (measured.better, measured.worse) == (6, 0)
    assert measured.found is not None
    assert measured.found[1].concepts.right >= measured.found[0].concepts.right
    mine = linker.with_settings(remembered=remembering(given[:1]))
    assert before_after(mine, given).learnt == 1  # type: ignore[arg-type]


def test_a_document_is_never_linked_with_its_own_corrections(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    first = lessons(tmp_path, 2, {"hot spells": FEVER})[:1]
    second = lessons(tmp_path, 2, {"asthma": ASTHMA})[1:]
    measured = before_after(linker, [*first, *second])  # type: ignore[arg-type]
    assert (measured.before, measured.after, measured.known) == (1, 1, 0)
    with pytest.raises(ConfigError, match="two documents at least"):
        before_after(linker, first)  # type: ignore[arg-type]


def test_the_command(tmp_path: Path) -> None:
    file = corrected(tmp_path, 2, {"hot spells": FEVER})
    done = run("evaluate", file, "--before-after")
    assert done.returncode == 0, done.stderr
    assert "| right concept, or NIL where it is right | 0.0 % | 100.0 % |" in done.stdout
    done = run("evaluate", file, "--before-after", "--json")
    assert json.loads(done.stdout)["after"] == 2
    done = run("evaluate", file, "--before-after", "--baselines")
    assert done.returncode == 1
    assert "expected no other option" in done.stderr


def too_shy(ranker: Ranker) -> Ranker:
    """A ranker that takes NIL to be far more probable than it is."""

    def shy(weights: Weights) -> Weights:
        nil = weights.nil.copy()
        nil[NIL_FEATURES.index("one")] += 30
        return Weights(weights.candidates, nil)

    assert ranker.early is not None
    early = replace(ranker.early, weights=shy(ranker.early.weights))
    return replace(ranker, weights=shy(ranker.weights), early=early)


def test_weights_are_kept_only_if_they_help(
    tmp_path: Path, linker: biolink.pipeline.AnyLinker
) -> None:
    assert isinstance(linker, KindsLinker)
    main = linker.main
    assert main.model.ranker is not None
    given = lessons(tmp_path, 4, {"asthma": ASTHMA, "fever": FEVER})
    documents, decided = [lesson.corrected.document for lesson in given], [range(2)] * 4
    # Where all is right already, nothing changes.
    same = refit(main, documents, decided, least=8)
    assert (same.before, same.after, same.ranker) == (8, 8, None)
    shy = biolink.Linker(replace(main.model, ranker=too_shy(main.model.ranker)), main.kb)
    few = refit(shy, documents, decided, least=9)
    assert (few.mentions, few.ranker) == (8, None)
    result = refit(shy, documents, decided, least=8)
    assert (result.before, result.after) == (0, 8)
    assert result.ranker is not None
    # A concept that no base has is no NIL.
    other = lessons(tmp_path, 2, {"asthma": Meaning("X1")})
    assert refit(main, [x.corrected.document for x in other], [range(1)] * 2, 1).mentions == 0


def test_a_model_with_new_weights(tmp_path: Path, linker: biolink.pipeline.AnyLinker) -> None:
    assert linker.model.ranker is not None
    assert linker.model.folder is not None
    shy = too_shy(linker.model.ranker).to_dict()
    extend_model(tmp_path / "shy", linker.model.folder, {}, lambda folder: None, ranker=shy)
    file = corrected(tmp_path, 4, {"asthma": ASTHMA, "fever": FEVER})
    result = learn([file], tmp_path / "mine.model", tmp_path / "shy", least=8)
    assert result.refit.ranker is not None
    mine = biolink.load(model=tmp_path / "mine.model").with_settings(remembered=None)
    assert mine.model.ranker is not None
    expected = result.refit.ranker.weights.candidates
    assert mine.model.ranker.weights.candidates == pytest.approx(expected)
    assert [m.text for m in mine("Aspirin for asthma.").mentions if m.best] == ["Aspirin", "asthma"]
