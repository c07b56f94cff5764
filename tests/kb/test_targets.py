"""Output files and folders: which are replaced or refused, and which files are left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from biolink.cli.app import app
from biolink.cli.bench import _foreign_in_split
from biolink.errors import InputError
from biolink.kb import Concept, KnowledgeBase
from biolink.kb.files import check_folder_target, foreign_names, replace_file, replace_folder
from biolink.kb.model_folder import check_model_target
from biolink.kb.store import check_store_target


def foreign(folder: Path) -> list[str]:
    return foreign_names(folder, ("note.txt",))


def write_note(folder: Path, text: str = "new") -> None:
    with replace_folder(folder, foreign, "a folder of notes") as temporary:
        (temporary / "note.txt").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_absent_empty_and_own_folders_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "new" / "notes"
    for text in ("first", "second"):
        write_note(target, text)
        assert (target / "note.txt").read_text() == text
    (tmp_path / "empty").mkdir()
    write_note(tmp_path / "empty")
    assert names(tmp_path / "empty") == ["note.txt"]
    assert names(tmp_path) == ["empty", "new"]
    assert names(tmp_path / "new") == ["notes"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_note(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["note.txt"]


@pytest.mark.parametrize("inside", ["thesis/one.txt", "paper.pdf", "note.txt/deeper"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "mine" / inside
    file.parent.mkdir(parents=True)
    file.write_text("x")
    (tmp_path / "mine" / "more.txt").write_text("x")
    for function in (check_store_target, check_model_target, write_note):
        with pytest.raises(InputError, match="something else in it"):
            function(tmp_path / "mine")
    assert file.read_text() == "x"
    assert names(tmp_path) == ["mine"]


def test_files_and_places_that_are_in_use_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    (here / "inner").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here / "inner")
    for target in ("/", ".", "", "..", here, here / "inner", home, tmp_path, tmp_path / "file"):
        with pytest.raises(InputError):
            write_note(Path(target))
        with pytest.raises(InputError):
            check_store_target(target)
    for target in (tmp_path / "file" / "below", tmp_path / "file" / "further" / "below"):
        with pytest.raises(InputError, match=r"is a file|Not a directory"):
            write_note(target)
    assert names(tmp_path) == ["file", "here", "home"]


def test_a_failure_leaves_the_older_folder(tmp_path: Path) -> None:
    write_note(tmp_path / "notes", "old")
    with (
        pytest.raises(RuntimeError),
        replace_folder(tmp_path / "notes", foreign, "notes") as temporary,
    ):
        (temporary / "note.txt").write_text("half")
        raise RuntimeError
    assert (tmp_path / "notes" / "note.txt").read_text() == "old"
    assert names(tmp_path) == ["notes"]


def test_files_that_appear_during_the_work_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "notes"
    with pytest.raises(InputError), replace_folder(target, foreign, "notes") as temporary:
        (temporary / "note.txt").write_text("x")
        target.mkdir()
        (target / "mine").write_text("x")
    assert names(target) == ["mine"]


def test_a_damaged_store_can_be_built_again_but_not_with_something_in_it(tmp_path: Path) -> None:
    kb = KnowledgeBase.from_concepts([Concept("1", "asthma")])
    store = tmp_path / "a.kb"
    kb.save(store)
    (store / "manifest.json").write_text("{")
    kb.save(store)
    assert len(KnowledgeBase.open(store)) == 1
    (store / "thesis.txt").write_text("x")
    with pytest.raises(
        InputError, match=r"knowledge base with something else in it \(thesis\.txt\)"
    ):
        kb.save(store)
    assert (store / "thesis.txt").exists()


@pytest.mark.parametrize("inside", ["thesis.txt", "index/thesis.txt", "index/trie-1/thesis.txt"])
def test_a_store_with_a_foreign_file_is_refused_by_its_name(inside: str, tmp_path: Path) -> None:
    kb = KnowledgeBase.from_concepts([Concept("1", "asthma")])
    kb.save(tmp_path / "a.kb")
    index = tmp_path / "a.kb" / "index" / "trie-1"
    index.mkdir(parents=True)
    (index / "first.npy").write_text("x")
    (tmp_path / "a.kb" / inside).write_text("x")
    with pytest.raises(InputError, match=rf"knowledge base with something else .*\({inside}\)"):
        kb.save(tmp_path / "a.kb")
    (tmp_path / "a.kb" / inside).unlink()
    kb.save(tmp_path / "a.kb")


def test_a_model_and_a_split_with_a_foreign_file_are_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    check_model_target(tmp_path)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"a model folder with something else .*\(thesis\.tex\)"):
        check_model_target(tmp_path)
    split = tmp_path / "split"
    KnowledgeBase.from_concepts([Concept("1", "asthma")]).save(split / "part.kb")
    assert _foreign_in_split(split) == []
    (split / "part.kb" / "thesis.tex").write_text("x")
    (split / "notes").mkdir()
    assert _foreign_in_split(split) == ["notes", "part.kb/thesis.tex"]


COMMANDS = [
    ("kb", "build", "a.csv", "-o"),
    ("kb", "subset", "a.kb", "--ids", "ids.txt", "-o"),
    ("kb", "disambiguate", "a.kb", "-o"),
    ("bench", "split", "d.jsonl", "--ids", "ids.txt", "--kb", "a.kb", "-o"),
    ("convert-checkpoint", "model.pt", "-o"),
    ("pretrain", "tokenizer", "text.txt", "-o"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:2]))
def test_commands_refuse_before_they_work(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    KnowledgeBase.from_concepts([Concept("1", "asthma"), Concept("2", "gout")]).save("a.kb")
    (tmp_path / "mine" / "thesis").mkdir(parents=True)
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "ids.txt").write_text("1\n")
    before = names(tmp_path)
    for target in ("mine", "file.txt", "."):
        # Neither a.csv nor model.pt exists, so the target was checked before anything was read.
        result = CliRunner().invoke(app, [*command, target])
        assert isinstance(result.exception, InputError), result.output
        assert target in str(result.exception)
        assert "expected" in str(result.exception)
    assert names(tmp_path) == before
    assert names(tmp_path / "mine") == ["thesis"]


def test_a_base_without_the_ending_kb_is_written_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tsv").write_text("id\tname\nD1\tFever\n")
    for target, warned in (("mine", True), ("mine.kb", False)):
        result = CliRunner().invoke(app, ["kb", "build", "a.tsv", "-o", target])
        assert result.exit_code == 0, result.output
        assert ("mine does not end in .kb" in result.output) is warned
        assert KnowledgeBase.open(target)["D1"].name == "Fever"


def test_a_split_replaces_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    KnowledgeBase.from_concepts([Concept("1", "asthma"), Concept("2", "gout")]).save("a.kb")
    (tmp_path / "d.jsonl").write_text('{"id": "1", "text": "asthma"}\n')
    (tmp_path / "ids.txt").write_text("1\n")
    arguments = ["bench", "split", "d.jsonl", "--ids", "ids.txt", "--kb", "a.kb", "-o", "out"]
    for _ in range(2):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.exception
    # This is the state after a kill while part.kb was written.
    (tmp_path / "out" / ".part.kb.biolink-1").mkdir()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    assert names(tmp_path / "out") == [
        *("complement.jsonl", "complement.kb", "part.jsonl", "part.kb")
    ]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from biolink.kb.files import replace_file, replace_folder

    if sys.argv[1] == "file":
        with replace_file(sys.argv[2]) as stream:
            stream.write("half")
            stream.flush()
            {end}
    else:
        with replace_folder(sys.argv[2], lambda folder: [], "notes") as folder:
            (folder / "note.txt").write_text("half")
            {end}
"""


def start(kind: str, target: Path, end: str) -> subprocess.Popen[str]:
    program = textwrap.dedent(KILLED).format(end=end)
    return subprocess.Popen(
        [sys.executable, "-c", program, kind, str(target)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def put(kind: str, target: Path) -> None:
    if kind == "folder":
        write_note(target)
    else:
        with replace_file(target) as stream:
            stream.write("new")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_run_removes_files_that_a_killed_one_left(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out.d"
    killed = start(kind, target, "os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.wait() == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    assert not target.exists()
    put(kind, target)
    assert names(tmp_path) == ["out.d"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_files_of_a_living_run_are_left_alone(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "out.d"
    living = start(kind, target, "print('ready', flush=True); input()")
    assert living.stdout is not None
    assert living.stdout.readline() == "ready\n"
    put(kind, target)
    assert len(names(tmp_path)) == 2
    living.communicate("go on\n")
    assert living.returncode == 0
    content = target if kind == "file" else target / "note.txt"
    assert content.read_text() == "half"
    assert names(tmp_path) == ["out.d"]


def test_a_folder_with_files_of_a_killed_run_is_accepted(tmp_path: Path) -> None:
    target = tmp_path / "notes"
    for own in ((), ("note.txt",)):
        target.mkdir(exist_ok=True)
        (target / ".part.kb.biolink-1").mkdir()
        (target / ".note.txt.biolink-2").write_text("half")
        assert set(own) < set(names(target))
        write_note(target)
        assert names(target) == ["note.txt"]
    (target / ".note.txt.biolink").write_text("a user's")
    with pytest.raises(InputError, match="something else in it"):
        write_note(target)


def test_a_folder_that_was_being_replaced_is_restored(tmp_path: Path) -> None:
    target = tmp_path / "notes"
    write_note(target, "old")
    # This is the state after a kill between the two renames.
    target.rename(tmp_path / ".notes.biolink-1.old")
    with (
        pytest.raises(RuntimeError),
        replace_folder(target, foreign, "notes"),
    ):
        raise RuntimeError
    assert (target / "note.txt").read_text() == "old"
    assert names(tmp_path) == ["notes"]


def test_devices_and_pipes_are_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    with replace_file(pipe) as stream:
        stream.write("through")
    assert reader.communicate()[0] == "through"
    with replace_file("/dev/null") as stream:
        stream.write("away")
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()
    with pytest.raises(InputError, match="a folder"), replace_file(tmp_path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("size", [3, 300_000])
def test_a_full_disk_is_one_clear_error(size: int) -> None:
    with (
        pytest.raises(InputError, match="/dev/full: No space left"),
        replace_file("/dev/full") as stream,
    ):
        stream.write("x" * size)


def test_target_check_is_the_same_for_every_kind(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    check_folder_target(tmp_path / "x", lambda folder: ["x"], "anything")
    check_folder_target(tmp_path / "new" / "x", lambda folder: ["x"], "anything")
    assert names(tmp_path) == ["x"]
