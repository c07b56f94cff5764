"""Documents that are reviewed with other tools come back as acts."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path

import pytest

import biolink
from biolink import Document, Link, Mention
from biolink.corrections.acts import Act
from biolink.corrections.exchange import TOOLS, acts_of_changes, export_to, import_from
from biolink.corrections.files import read_corrections
from biolink.errors import BiolinkError, ConfigError, DocumentError, InputError
from tests.commands import run

ASTHMA = Link("D001249", "Asthma", -0.1, 0.9, 1, preferred_name="Asthma", curie="mesh:D001249")
TEXT = "💊 Asthma 🫁 or gout, not a cold.\nSecond 💊 line: severe fever."


def mention(text: str, kind: str = "Disease", *ids: str, links: tuple[Link, ...] = ()) -> Mention:
    start = TEXT.index(text)
    nil = None if links else "no candidate"
    return Mention(start, start + len(text), text, kind, ids, links=links, nil_reason=nil)


LINKED = Document(
    "a/1", TEXT,
    mentions=(
        mention("Asthma", links=(ASTHMA,)), mention("gout", links=(ASTHMA,)), mention("cold"),
        mention("severe fever", links=(ASTHMA,)),
    ),
)  # fmt: skip


def summary(acts: list[Act]) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(act.act, act.text, tuple(c.curie for c in act.concepts)) for act in acts}


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_what_comes_back_unchanged_is_no_act(tmp_path: Path, tool: str) -> None:
    path = tmp_path / "out"
    assert export_to(tool, [LINKED], path) == 1
    if tool == "label-studio":  # a prediction that was submitted as it is
        tasks = json.loads(path.read_text())
        tasks[0]["annotations"] = tasks[0].pop("predictions")
        path.write_text(json.dumps(tasks))
    (back,) = TOOLS[tool].read(path)
    assert [(m.start, m.end, m.text) for m in back.mentions] == [
        (m.start, m.end, m.text) for m in LINKED.mentions
    ]
    assert import_from(tool, path, [LINKED], tmp_path / "c.jsonl") == 0
    assert import_from(tool, path, [LINKED], tmp_path / "c.jsonl", accept=True) == 4
    (corrected,) = read_corrections(tmp_path / "c.jsonl").corrected()
    assert corrected.finished


def test_changes_are_acts() -> None:
    edited = LINKED.with_mentions(
        [
            mention("Asthma"),  # NIL now
            mention("cold", "Disease", "mesh:D003139"),
            mention("fever", "Disease", "mesh:D005334"),
            mention("line", "Chemical"),
        ]
    )
    assert summary(acts_of_changes(LINKED, edited)) == {
        ("nil", "Asthma", ()), ("choose", "cold", ("mesh:D003139",)), ("remove", "gout", ()),
        ("span", "fever", ()), ("choose", "fever", ("mesh:D005334",)), ("add", "line", ()),
    }  # fmt: skip
    with pytest.raises(DocumentError, match="another text"):
        acts_of_changes(LINKED, Document("a/1", "Other."))


def test_label_studio_counts_in_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    export_to("label-studio", [LINKED], path)
    (task,) = json.loads(path.read_text())
    asthma = task["predictions"][0]["result"][0]["value"]
    assert (LINKED.mentions[0].start, asthma["start"], asthma["end"]) == (2, 3, 9)
    units = TEXT.encode("utf-16-le")
    assert units[2 * asthma["start"] : 2 * asthma["end"]].decode("utf-16-le") == "Asthma"
    value = {"start": 2, "end": 8, "text": "Asthma", "labels": ["Disease"]}  # code points
    region = {"id": "x", "type": "labels", "value": value}
    task["annotations"] = [{"result": [region]}]
    path.write_text(json.dumps([task]))
    (back,) = TOOLS["label-studio"].read(path)
    assert back.mentions[0].text == "Asthma"
    value["text"] = "asthmatic"
    path.write_text(json.dumps([task]))
    with pytest.raises(InputError, match=r"task 1: .*asthmatic"):
        list(TOOLS["label-studio"].read(path))


def test_xmi_in_zip_files_and_damage(tmp_path: Path) -> None:
    export_to("inception", [LINKED], tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.xmi")
    assert 'begin="3"' in file.read_text(encoding="utf-8")  # UIMA counts in UTF-16
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as archive:
        archive.write(file, "folder/somebody.xmi")  # found by its text
        archive.write(file, "folder/INITIAL_CAS.xmi")
    assert import_from("inception", tmp_path / "back.zip", [LINKED], tmp_path / "c.jsonl") == 0
    file.write_text("<xmi", encoding="utf-8")
    with pytest.raises(InputError, match="xmi"):
        import_from("inception", tmp_path / "out", [LINKED], tmp_path / "d.jsonl")
    assert not (tmp_path / "d.jsonl").exists()


def test_damaged_xmi_is_refused_in_one_way(tmp_path: Path) -> None:
    export_to("inception", [LINKED], tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.xmi")
    whole = file.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(30):
        cut = bytearray(whole[: rng.randrange(len(whole))])
        changed = bytearray(whole)
        for _ in range(3):
            changed[rng.randrange(len(changed))] = rng.randrange(32, 127)
        for content in (cut, changed):
            file.write_bytes(content)
            try:
                list(TOOLS["inception"].read(tmp_path / "out"))
            except InputError as error:
                assert file.name in str(error)
                refused += 1
    assert refused > 30


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of brat"):
        export_to("doccano", [LINKED], tmp_path / "x")
    export_to("brat", [LINKED], tmp_path / "out")
    other = Document("b", "Other.")
    with pytest.raises(BiolinkError, match="not among the linked documents"):
        import_from("brat", tmp_path / "out", [other], tmp_path / "c.jsonl")
    (tmp_path / "tasks.json").write_text("{}")
    with pytest.raises(InputError, match="no list of tasks"):
        import_from("label-studio", tmp_path / "tasks.json", [LINKED], tmp_path / "c.jsonl")


def test_the_commands(tmp_path: Path) -> None:
    biolink.write([LINKED], tmp_path / "linked.jsonl")
    out = tmp_path / "brat"
    done = run("corrections", "export", tmp_path / "linked.jsonl", "--tool", "brat", "-o", out)
    assert done.returncode == 0, done.stderr
    (file,) = out.glob("*.ann")
    file.write_text(file.read_text().replace("mesh:D001249\tAsthma", "mesh:D005334\tFever", 1))
    back = ("--linked", tmp_path / "linked.jsonl", "-o", tmp_path / "c.jsonl")
    done = run("corrections", "import", out, "--tool", "brat", *back)
    assert done.returncode == 0, done.stderr
    assert "1 act" in done.stderr
    (act,) = read_corrections(tmp_path / "c.jsonl").acts
    assert (act.act, act.text, act.concepts[0].curie) == ("choose", "Asthma", "mesh:D005334")


def test_the_commands_overwrite_neither_inputs_nor_decisions(tmp_path: Path) -> None:
    linked, out = tmp_path / "linked.jsonl", tmp_path / "tasks.json"
    biolink.write([LINKED], linked)
    tool = ("--tool", "label-studio")
    before = linked.read_bytes()
    for arguments in (
        ("export", linked, *tool, "-o", linked),
        ("import", out, *tool, "--linked", linked, "-o", linked),
        ("import", linked, *tool, "--linked", linked, "-o", linked),
    ):
        done = run("corrections", *arguments)
        assert (done.returncode, linked.read_bytes()) == (1, before)
        assert "is also an input; expected another name" in done.stderr
    decided = tmp_path / "decided.jsonl"
    decided.write_text("kept")
    assert run("corrections", "export", linked, *tool, "-o", out).returncode == 0
    done = run("corrections", "import", out, *tool, "--linked", linked, "-o", decided)
    assert (done.returncode, decided.read_text()) == (1, "kept")
    assert "exists; expected a new file" in done.stderr
