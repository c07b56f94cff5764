"""The inputs of commands: files, folders and texts, and the messages if there is nothing."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from biolink import read
from biolink.cli import main
from biolink.cli.app import app
from biolink.cli.bases import opened
from biolink.cli.convert import run_convert
from biolink.cli.inputs import documents_of, files_of, read_all
from biolink.cli.link import LinkJob, run_link
from biolink.documents import Document, Link, Mention
from biolink.errors import BiolinkError, ConfigError
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.bases import KnowledgeBases
from biolink.places import EMBEDDED
from biolink.scale.blocks import LinkSettings, with_curies


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three texts in two levels, a hidden file, a binary file, a pipe and a broken link."""
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    (place / "b.txt").write_text("A fever.")
    (place / "a.txt").write_text("aspirin")
    (place / "sub" / "c.txt").write_text("Nothing.")
    (place / ".hidden.txt").write_text("Hidden.")
    (place / "picture.txt").write_bytes(b"\xff\xfe\x00\x81")
    (place / "broken.txt").symlink_to("nowhere.txt")
    os.mkfifo(place / "pipe")
    return place


def test_a_folder_is_read_as_the_files_in_it(folder: Path) -> None:
    problems: list[BiolinkError] = []
    found = files_of([str(folder), "x.txt", "-"], problems.append)
    names = ["a.txt", "b.txt", "broken.txt", "picture.txt", "sub/c.txt"]
    assert found == [*(str(folder / name) for name in names), "x.txt", "-"]
    assert [str(p) for p in problems] == [
        f"{folder}/pipe: neither a file nor a folder; expected one of them"
    ]


def test_files_of_a_folder_that_cannot_be_read_are_reported(folder: Path) -> None:
    problems: list[BiolinkError] = []
    documents = list(read_all([str(folder)], None, problems.append))
    assert [d.text for d in documents] == ["aspirin", "A fever.", "Nothing."]
    told = "\n".join(map(str, problems))
    assert len(problems) == 3
    assert "pipe: neither a file nor a folder" in told
    assert "broken.txt: no such file" in told
    assert "picture.txt" in told
    empty = folder / "empty"
    empty.mkdir()
    assert list(read_all([str(empty)], None, problems.append)) == []
    assert "a folder without files" in str(problems[-1])


def test_texts_become_documents() -> None:
    assert [(d.id, d.text) for d in documents_of(["One.", ""])] == [("1", "One."), ("2", "")]
    with pytest.raises(ConfigError, match="not UTF-8"):
        list(documents_of(["\udce9"]))


@pytest.fixture
def settings(kb: KnowledgeBase, model_folder: Path, tmp_path: Path) -> LinkSettings:
    kb.save(tmp_path / "x.kb")
    return LinkSettings(str(tmp_path / "x.kb"), str(model_folder))


def test_texts_and_a_folder_are_linked(
    folder: Path, settings: LinkSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    job = LinkJob((str(folder),), settings, ("Fever.",), output=str(out))
    outcome = run_link(job)
    assert [d.text for d in read(out)] == ["Fever.", "aspirin", "A fever.", "Nothing."]
    assert (outcome.documents, outcome.linked, len(outcome.problems)) == (4, 3, 3)
    assert "3 problems; everything else was done" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["link", "convert"])
def test_no_file_of_an_input_folder_is_replaced(
    command: str, folder: Path, settings: LinkSettings, tmp_path: Path
) -> None:
    def run(name: str) -> None:
        output = str(folder / name)
        if command == "link":
            run_link(LinkJob((str(folder),), settings, to="jsonl", output=output))
        else:
            run_convert((str(folder),), None, "jsonl", output)

    for name in ("a.txt", "sub/c.txt", "picture.txt"):
        before = (folder / name).read_bytes()
        with pytest.raises(ConfigError, match=f"{name} is also an input, because it exists"):
            run(name)
        assert (folder / name).read_bytes() == before
    # A new file may be written into the folder, but nothing tells it from an input afterwards.
    run("sub/linked.jsonl")
    assert [d.text for d in read(folder / "sub" / "linked.jsonl")][:2] == ["aspirin", "A fever."]
    with pytest.raises(ConfigError, match="an earlier command wrote the file, remove it"):
        run("sub/linked.jsonl")
    # A hidden file is not read.
    for _ in range(2):
        run(".linked.jsonl")


def test_one_and_two_workers_write_the_same_bytes(
    folder: Path, settings: LinkSettings, tmp_path: Path
) -> None:
    written = []
    for workers in (1, 2, 1):
        out = tmp_path / f"{workers}.jsonl"
        job = LinkJob((str(folder),), settings, ("breast tumor " * 30,), output=str(out))
        run_link(replace(job, workers=workers, batch_size=2))
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("name", ["none.txt", "empty", "picture.txt"])
def test_when_nothing_can_be_read_nothing_is_written_and_a_message_says_so(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "picture.txt").write_bytes(b"\xff\xfe\x00\x81")
    out = tmp_path / "out.jsonl"
    for command in ("link", "convert"):
        arguments = ["biolink", command, str(tmp_path / name), "-o", str(out)]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        told = capfd.readouterr().err
        assert f"{tmp_path / name}: " in told and "1 problem\n" in told
        assert "no document could be read, so nothing was written" in told
        assert "everything else" not in told
        assert not out.exists()


def test_an_empty_input_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_text("")
    out = tmp_path / "out.jsonl"
    assert run_convert((str(tmp_path / "x.jsonl"),), "jsonl", None, str(out)) == []
    assert "the input has no documents" in capsys.readouterr().err
    assert out.read_text() == ""


def test_links_with_the_prefixes_of_their_vocabularies() -> None:
    one = Concept("1", "fever")
    kb = KnowledgeBase.from_concepts([one], prefix="mesh", prefixes=[("[0-9]{6}", "OMIM")])
    links = (Link("D1", "a", 0.0, 0.5, 1, also=("253300",)), Link("HP:1", "b", 0.0, 0.2, 2))
    document = Document("1", "fever", mentions=(Mention(0, 5, "fever", links=links),))
    (mention,) = with_curies(document, KnowledgeBases([kb])).mentions
    assert [(link.concept_id, link.also) for link in mention.links] == [
        ("mesh:D1", ("OMIM:253300",)), ("HP:1", ()),
    ]  # fmt: skip


def test_curies_are_written_and_understood_as_gold(
    settings: LinkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = KnowledgeBase.read(settings.kb or "")
    prefixed = KnowledgeBase.from_concepts(kb, prefix="X")
    prefixed.save(tmp_path / "prefixed.kb")
    asked = replace(settings, kb=str(tmp_path / "prefixed.kb"), curies=True)
    out = tmp_path / "out.jsonl"
    run_link(LinkJob((), asked, ("aspirin for breast cancer",), output=str(out)))
    (document,) = read(out)
    ids = [link.concept_id for m in document.mentions for link in m.links]
    assert ids and all(i.startswith("X:D") for i in ids)
    gold = tmp_path / "gold.PubTator"
    run_convert((str(out),), None, None, str(gold))
    assert [m.concept_ids[0] for d in read(gold) for m in d.mentions] == [
        m.links[0].concept_id for m in document.mentions
    ]
    arguments = ["biolink", "evaluate", gold, "--kb", tmp_path / "prefixed.kb"]
    arguments += ["--model", settings.model, "-o", tmp_path / "r.json"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    try:
        main()
    except SystemExit as stopped:
        assert not stopped.code
    assert json.loads((tmp_path / "r.json").read_text())["strict"]["recall_at_1"] == 1.0


def test_help_lists_the_formats(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for command in ("link", "convert"):
        monkeypatch.setattr(sys, "argv", ["biolink", command, "--help"])
        with pytest.raises(SystemExit):
            main()
        told = " ".join(capfd.readouterr().out.split())
        for name in ("pubtator", "bioc-xml", "medline", "tsv"):
            assert name in told
        assert ("table (for reading" in told) == (command == "link")
        written = told.split("--to")[-1]
        assert "medline" not in written
        assert ("lines, text" in written) == (command == "convert")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"to": "text"}, "--to text: links cannot be written in the format text"),
        ({"to": "lines", "output": "x.jsonl"}, "--to lines: links cannot be written in the format"),
        ({"output": "x.txt.gz"}, "-o x.txt.gz: links cannot be written in the format text"),
        ({"to": "medline"}, "--to medline: links cannot be written in the format medline"),
    ],
)
def test_targets_that_hold_no_links_are_refused_before_the_work(
    options: dict[str, str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        run_link(LinkJob(texts=("asthma",), settings=LinkSettings("no.kb"), **options))
    formats = "bioc-xml, bioc-json, pubannotation, brat, pubtator, jsonl, tsv, csv, sssom, html"
    assert str(refused.value).startswith(named)
    assert str(refused.value).endswith(f"; expected one of {formats}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["text", "lines"])
def test_mentions_that_a_text_does_not_hold_are_counted(
    to: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "1|t|Asthma, gout\n1|a|\n1\t0\t6\tAsthma\tDisease\tD1\n1\t8\t12\tgout\tDisease\tD2\n"
    (tmp_path / "g.PubTator").write_text(rows + "\n2|t|Fever\n2|a|\n2\t0\t5\tFever\tDisease\tD3\n")
    out = tmp_path / "out"
    assert run_convert((str(tmp_path / "g.PubTator"),), None, to, str(out)) == []
    (warning,) = (record.message for record in caplog.records)
    assert warning == f"biolink: warning: {out}: these values are not kept: mentions (3)"
    assert out.read_text().split() == ["Asthma,", "gout", "Fever"]
    caplog.clear()
    run_convert((str(out),), to, to, str(tmp_path / "again"))
    assert not caplog.text


def test_an_output_that_is_also_an_input_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "asthma"}\nbroken\n')
    (tmp_path / "y.jsonl").symlink_to(file)
    (tmp_path / "z.jsonl").hardlink_to(file)
    for output in ("x.jsonl", "y.jsonl", "z.jsonl", "./x.jsonl"):
        with pytest.raises(ConfigError, match="is also an input"):
            run_convert((str(file),), None, None, f"{tmp_path}/{output}")
        with pytest.raises(ConfigError, match="is also an input"):
            run_link(LinkJob((str(file),), output=f"{tmp_path}/{output}"))
    assert "broken" in file.read_text()
    pubtator = tmp_path / "d.json"
    pubtator.write_text('{"documents": []}')
    for command in ("evaluate", "calibrate", "find-threshold"):
        failed = CliRunner().invoke(app, [command, str(pubtator), "-o", str(pubtator)])
        assert "is also an input" in str(failed.exception)
    assert pubtator.read_text() == '{"documents": []}'


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "find-threshold"])
def test_an_output_in_a_folder_of_inputs_is_refused(command: str, tmp_path: Path) -> None:
    gold = tmp_path / "gold"
    (gold / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(gold)
    for file in (gold / "a.json", gold / "sub" / "b.json"):
        file.write_text('{"documents": []}')
        for folder in (gold, tmp_path / "link"):
            failed = CliRunner().invoke(app, [command, str(folder), "-o", str(file)])
            assert f"-o {file} is also an input" in str(failed.exception)
        assert file.read_text() == '{"documents": []}'
    # A file that does not exist yet is no input.
    failed = CliRunner().invoke(app, [command, str(gold), "-o", str(gold / "c.json")])
    assert "is also an input" not in str(failed.exception)


@pytest.mark.parametrize("option", [[], ["--cascade"], ["--no-cascade"]])
def test_the_option_for_early_rankings_is_passed_on(
    option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def load(*arguments: Any, **options: Any) -> None:
        asked.append(options)
        raise ConfigError("stop here")

    monkeypatch.setattr("biolink.pipeline.load", load)
    failed = CliRunner().invoke(app, ["link", "--text", "Fever.", *option])
    assert str(failed.exception) == "stop here"
    assert asked[0].get("cascade", True) == (option != ["--no-cascade"])


@pytest.mark.parametrize("suffix", [".zip", ".bz2", ".zst"])
def test_compressions_that_are_not_written_are_refused(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("asthma")
    with pytest.raises(BiolinkError, match=rf"the suffix \{suffix}; expected \.gz"):
        run_convert((str(tmp_path / "x.txt"),), None, "jsonl", f"{tmp_path}/x.jsonl{suffix}")
    assert [file.name for file in tmp_path.iterdir()] == ["x.txt"]


def test_a_command_for_one_base_has_that_of_diseases_and_chemicals() -> None:
    assert opened(None, lambda problem: None).path == EMBEDDED / "kb"
