"""End-to-end evaluation of found and linked mentions, from Python and by the command."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from biolink import Concept, Document, KnowledgeBase, Link, Mention, read, write
from biolink.cli import evaluate as command
from biolink.cli.evaluate import EvaluationJob, run_compare, run_evaluate
from biolink.cli.outputs import check_outputs, write_outputs
from biolink.errors import BiolinkError, ConfigError, MissingDependencyError
from biolink.evaluation import evaluate
from biolink.evaluation.found import evaluate_found
from biolink.infer.seen_documents import write_seen_documents
from biolink.scale.blocks import LinkSettings

TEXT = "fever, cold and cough with ague"
KB = KnowledgeBase.from_concepts(
    [Concept("D1", "fever", alternative_ids=("D9",)), Concept("D2", "cold")], prefix="mesh"
)


def at(word: str, gold: str = "", link: str = "", joiner: str = "|") -> Mention:
    start = TEXT.index(word)
    links = (Link(link, word, 0.0, 0.5, 1),) if link else ()
    ids = tuple(gold.split("|")) if gold else ()
    return Mention(start, start + len(word), word, "", ids, joiner, links=links)


def document(*mentions: Mention) -> Document:
    return Document("1", TEXT, mentions=mentions)


def test_a_base_without_any_gold_concept_is_told(caplog: pytest.LogCaptureFixture) -> None:
    other = KnowledgeBase.from_concepts([Concept("HP:1", "fever")])
    linked = document(at("fever", "D1", "HP:1"), at("cold", "D2"))
    told = "has none of the gold concepts of the 2 mentions"
    for measure in (
        lambda kb: evaluate(linked, kb),
        lambda kb: evaluate_found([linked], [linked], kb),
    ):
        caplog.clear()
        measure(other)
        assert told in caplog.text and "is it the right one?" in caplog.text
        caplog.clear()
        measure(KB)
        measure(None)
        assert "gold concepts" not in caplog.text
    one = document(at("fever", "D1", "D1"), at("cold", "X2"))
    evaluate(one, KB)
    assert "gold concepts" not in caplog.text


def test_spans_and_concepts_are_counted() -> None:
    gold = document(at("fever", "mesh:D9"), at("cold", "D2"), at("cough"), at("ague", "D1"))
    found = document(
        at("fever", link="D1"),  # right by its alternative id and with a prefix
        at("cold", link="D1"),  # the span is right, the concept is not
        at("cough", link="D2"),  # annotated without a concept
        at("with", link="D2"),  # nothing is annotated
    )
    report = evaluate_found([gold], [found], KB)
    spans, concepts = report.spans, report.concepts
    assert (spans.right, spans.found, spans.annotated) == (3, 4, 4)
    assert (concepts.right, concepts.found, concepts.annotated) == (1, 4, 3)
    assert (concepts.precision, concepts.recall) == (0.25, pytest.approx(1 / 3))
    assert concepts.f1 == pytest.approx(2 / 7)
    assert report.linked_right == 0.5
    assert report.misses == {
        "not found": 1,
        "found with another span": 0,
        "found and NIL": 0,
        "wrong concept": 1,
        "linked where nothing is annotated": 1,
    }
    # Without a knowledge base ids are compared as they are written, without prefixes of corpora.
    plain = evaluate_found([document(at("fever", "MESH:D1"))], [document(at("fever", link="D1"))])
    assert plain.concepts.f1 == 1.0


def test_spans_are_exact_and_joined_ids_are_no_single_concept() -> None:
    gold = document(at("fever, cold", "D1"), at("cough", "D1|D2", joiner="+"))
    found = document(at("fever", link="D1"), at("cough", link="D1"))
    report = evaluate_found([gold], [found], KB)
    assert (report.spans.right, report.concepts.right) == (1, 0)
    assert report.misses["found with another span"] == 1
    either = document(at("cough", "D1|D2"))
    assert evaluate_found([either], [document(at("cough", link="D2"))], KB).concepts.f1 == 1.0
    nil = evaluate_found([either], [document(at("cough"))], KB)
    assert nil.misses["found and NIL"] == 1
    assert (nil.spans.f1, nil.concepts.f1, nil.concepts.found) == (1.0, 0.0, 0)


def test_intervals_are_reproducible_and_hold_the_value() -> None:
    gold = [document(at("fever", "D1"), at("cold", "D2")) for _ in range(30)]
    found = [document(*g.mentions[: n % 3]) for n, g in enumerate(gold)]
    report = evaluate_found(gold, found)
    assert report == evaluate_found(gold, found)
    low, high = report.spans.recall_interval
    assert low < report.spans.recall < high
    assert report != evaluate_found(gold, found, seed=1)
    empty = evaluate_found([], [])
    assert (empty.documents, empty.spans.f1, empty.concepts.f1_interval) == (0, 0.0, (0.0, 0.0))


@pytest.fixture
def settings(kb: KnowledgeBase, model_folder: Path, tmp_path: Path) -> LinkSettings:
    kb.save(tmp_path / "x.kb")
    return LinkSettings(str(tmp_path / "x.kb"), str(model_folder))


def corpus(folder: Path, bad: bool = False) -> str:
    text = "A fever with aspirin given."
    documents = [
        Document(str(n), text, mentions=(Mention(2, 7, "fever", "Disease", ("D1",)),))
        for n in range(3)
    ]
    file = folder / "gold.jsonl"
    write(documents, file)
    if bad:
        with file.open("a") as stream:
            stream.write('{"id": "bad", "text": 5}\n')
    return str(file)


def job(settings: LinkSettings, file: str, **changes: object) -> EvaluationJob:
    return EvaluationJob((file,), settings.kb, settings.model, **changes)  # type: ignore[arg-type]


def test_the_command_measures_end_to_end(
    settings: LinkSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = corpus(tmp_path)
    outputs = tuple(str(tmp_path / name) for name in ("r.json", "r.md", "r.html"))
    other = tmp_path / "other.PubTator"
    write([d for d in read(gold) if d.id != "2"], other)
    asked = job(settings, gold, mentions="find", predictions=(str(other),), output=outputs)
    outcome = run_evaluate(asked)
    first, theirs = outcome.reports.values()
    # The dictionary finds "fever" and "aspirin" in each.
    assert (first.spans.right, first.spans.found, first.spans.annotated) == (3, 6, 3)
    assert (theirs.concepts.precision, theirs.concepts.recall) == (1.0, pytest.approx(2 / 3))
    values = json.loads((tmp_path / "r.json").read_text())
    assert values["spans"]["recall"] == 1.0 and values["provenance"]["mentions"] == "find"
    assert "| other.PubTator | spans and concepts | 100.0%" in (tmp_path / "r.md").read_text()
    assert "<td>other.PubTator</td>" in (tmp_path / "r.html").read_text()
    run_evaluate(job(settings, gold, mentions="find"))
    assert "| spans | 50.0% (50.0% to 50.0%) | 100.0%" in capsys.readouterr().out


def test_a_bad_document_does_not_affect_others(
    settings: LinkSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = run_evaluate(job(settings, corpus(tmp_path, bad=True)))
    (report,) = outcome.reports.values()
    assert (report.documents, len(outcome.problems)) == (3, 1)
    assert "gold.jsonl:4" in capsys.readouterr().err


def test_mistakes_are_reported_before_the_work(
    settings: LinkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = corpus(tmp_path)

    def loaded(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(command, "loaded", loaded)
    monkeypatch.setattr(command, "loaded_for_given", loaded)
    (tmp_path / "file").write_text("")
    for changes, error in (
        ({"mentions": "some"}, "given or find"),
        ({"mentions": "find", "baselines": True}, "--baselines"),
        ({"output": ("x.pdf",)}, r"ends in \.json, \.md or \.html"),
        ({"output": (f"{tmp_path}/none/x.md",)}, "does not exist"),
        ({"output": (f"{tmp_path}/file/x.md",)}, "does not exist"),
        ({"output": ("x.md", "x.md")}, "given twice"),
        ({"predictions": ("none.txt",)}, "no such file"),
        ({"train": ("none.txt",)}, "no such file"),
    ):
        with pytest.raises(BiolinkError, match=error):
            run_evaluate(job(settings, gold, **changes))
    shared = tmp_path / "shared.jsonl"
    write([Document("1", "A fever."), Document("1", "A cold.")], shared)
    for mentions in ("given", "find"):
        with pytest.raises(ConfigError, match=r"two predicted documents .* have the id '1'"):
            run_evaluate(job(settings, gold, mentions=mentions, predictions=(str(shared),)))
    write([Document("other", "A fever.")], shared)
    for mentions in ("given", "find"):
        with pytest.raises(ConfigError, match=r"shared\.jsonl: no document has the id of an annot"):
            run_evaluate(job(settings, gold, mentions=mentions, predictions=(str(shared),)))
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        run_evaluate(job(settings, gold, output=(str(tmp_path / "folder.md"),)))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="matplotlib"):
        run_evaluate(job(settings, gold, output=(str(tmp_path / "x.html"),)))
    plain = tmp_path / "plain.txt"
    plain.write_text("Nothing annotated.")
    with pytest.raises(ConfigError, match=r"no mention of .* has a gold concept id"):
        run_evaluate(job(settings, str(plain)))
    with pytest.raises(MissingDependencyError):
        run_compare(tmp_path / "a.json", tmp_path / "b.json", (str(tmp_path / "x.html"),))


def test_other_outputs_are_kept_when_one_fails(
    settings: LinkSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("biolink.evaluation.report.to_html", broken)
    outputs = tuple(str(tmp_path / name) for name in ("r.html", "r.json", "r.md"))
    outcome = run_evaluate(job(settings, corpus(tmp_path), output=outputs))
    assert [str(p) for p in outcome.problems] == [f"{outputs[0]}: No space left on device"]
    assert (tmp_path / "r.json").is_file() and (tmp_path / "r.md").is_file()
    told = capsys.readouterr()
    assert "| biolink (generate)" in told.out or "| biolink (" in told.out
    assert "No space left on device" in told.err


def test_outputs_are_checked_and_written_one_by_one(tmp_path: Path) -> None:
    check_outputs([str(tmp_path / "a.json")], (".json",), ())
    with pytest.raises(ConfigError, match=r"ends in \.json$"):
        check_outputs(["a.txt"], (".json",), ())

    def write_one(file: str) -> None:
        if "bad" in file:
            raise ConfigError("bad")
        Path(file).write_text("x")

    files = [str(tmp_path / name) for name in ("a", "bad", "c")]
    assert [file for file, _ in write_outputs(files, write_one)] == [files[1]]
    assert (tmp_path / "c").is_file()


def test_documents_of_the_training_are_reported(
    settings: LinkSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = corpus(tmp_path)
    run_evaluate(job(settings, gold))
    assert "trained on" not in capsys.readouterr().err
    shutil.copytree(settings.model or "", tmp_path / "model")
    write_seen_documents(tmp_path / "model", list(read(gold))[:1])
    seen = LinkSettings(settings.kb, str(tmp_path / "model"))
    run_evaluate(job(seen, gold))
    told = capsys.readouterr().err
    assert "warning: the model was trained on 3 of these 3 documents" in told
