"""Acts of correction, the file that keeps them, and documents after them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from biolink.corrections.acts import Act, Meaning, act_from_dict, act_to_dict
from biolink.corrections.applying import DECIDED_NIL, apply_acts
from biolink.corrections.files import HEADER, Journal, read_corrections, write_corrections
from biolink.documents import Document, Link, Mention
from biolink.errors import ConfigError, DocumentError, InputError

ASTHMA = Link("D001249", "Asthma", -0.1, 0.9, 1, curie="mesh:D001249")
WHEEZE = Link("D012135", "Wheezing", -2.0, 0.1, 2, curie="mesh:D012135")
DOCUMENT = Document(
    "7", "Asthmé or asthma 💊 and gout.",
    mentions=(Mention(10, 16, "asthma", "Disease", links=(ASTHMA, WHEEZE)),),
)  # fmt: skip
CHOOSE = Act(
    "choose", "7", 0, 10, 16, "asthma", "Disease", (Meaning("D012135", "mesh:D012135"),),
    source="candidate",
)  # fmt: skip
GOUT = Act("add", "7", 1, 23, 27, "gout", "Disease")


def test_the_chosen_candidate_comes_first() -> None:
    (reviewed,) = apply_acts(DOCUMENT, [CHOOSE]).mentions
    mention = reviewed.mention
    assert reviewed.decision == "choose"
    assert mention.concept_ids == ("D012135",)
    assert [(link.concept_id, link.rank) for link in mention.links] == [
        ("D012135", 1), ("D001249", 2),
    ]  # fmt: skip


def test_a_searched_concept_nil_and_accepted_nil() -> None:
    searched = Act(
        "choose", "7", 0, 10, 16, "asthma", "Disease", (Meaning("D9", "mesh:D9", "Status"),)
    )
    best = apply_acts(DOCUMENT, [searched]).document.mentions[0].best
    assert best is not None
    assert (best.concept_id, best.curie, best.preferred_name, best.probability) == (
        "D9", "mesh:D9", "Status", 1.0,
    )  # fmt: skip
    for act in ("nil", "accept"):
        (reviewed,) = apply_acts(DOCUMENT, [Act(act, "7", 0, 10, 16, "asthma", "Disease")]).mentions
        assert (reviewed.mention.links, reviewed.mention.nil_reason) == ((), DECIDED_NIL)
        assert reviewed.decision == act


def test_spans_additions_removals_and_undo() -> None:
    wider = Act("span", "7", 0, 7, 16, "or asthma", "Disease")
    gone = Act("remove", "7", 1, 23, 27, "gout")
    undo = Act("undo", "7")
    after = apply_acts(DOCUMENT, [wider, GOUT, gone])
    assert [m.text for m in after.document.mentions] == ["or asthma"]
    assert (after.removed, after.finished, after.mentions[0].changed) == ((1,), False, True)
    after = apply_acts(DOCUMENT, [wider, GOUT, gone, undo])
    assert [m.text for m in after.document.mentions] == ["or asthma", "gout"]
    after = apply_acts(DOCUMENT, [wider, GOUT, gone, undo, undo, undo])
    assert after.document == DOCUMENT
    assert apply_acts(DOCUMENT, [Act("undo", "7"), Act("undo", "other")]).document == DOCUMENT


@pytest.mark.parametrize(
    ("acts", "told"),
    [
        ([Act("nil", "7", 0, 9, 15, "asthma")], "the text there is"),
        ([Act("nil", "7", 5, 10, 16, "asthma")], "no such mention"),
        ([Act("nil", "7", 0, 23, 27, "gout")], "at another place"),
        ([Act("add", "7", 0, 23, 27, "gout")], "that of another mention"),
        ([GOUT, Act("undo", "7"), GOUT], "that of another mention"),
        ([Act("span", "7", 0, 23, 400, "gout")], "the text there is"),
    ],
)
def test_acts_that_do_not_fit(acts: list[Act], told: str) -> None:
    with pytest.raises(DocumentError, match=told):
        apply_acts(DOCUMENT, acts)


@pytest.mark.parametrize(
    "record",
    [
        [], {"act": "nil"}, {"act": "no", "document": "1"}, {"act": "nil", "document": "1"},
        {"act": "undo", "document": "1", "more": 1},
        {"act": "nil", "document": "1", "mention": True, "start": 0, "end": 1},
        {"act": "choose", "document": "1", "mention": 0, "start": 0, "end": 1},
        {"act": "choose", "document": "1", "mention": 0, "start": 0, "end": 1, "concepts": ["D1"]},
        {"act": "nil", "document": "1", "mention": 0, "start": 0, "end": 1,
         "concepts": [{"id": "D1"}]},
    ],
)  # fmt: skip
def test_objects_that_are_no_acts(record: object) -> None:
    with pytest.raises(DocumentError):
        act_from_dict(record)


def test_acts_come_back_from_their_file(tmp_path: Path) -> None:
    assert act_from_dict(json.loads(json.dumps(act_to_dict(CHOOSE)))) == CHOOSE
    file = tmp_path / "c.jsonl"
    with Journal(file) as journal:
        journal.add(DOCUMENT, CHOOSE)
        # Each act is in the file before the next begins.
        assert read_corrections(file).acts == (CHOOSE,)
        with pytest.raises(ConfigError, match="another review"):
            Journal(file)
    with Journal(file) as journal:
        assert journal.corrections.acts == (CHOOSE,)
        journal.add(DOCUMENT, GOUT)
    found = read_corrections(file)
    assert found.acts == (CHOOSE, GOUT)
    assert found.documents == {"7": DOCUMENT}
    assert [m.text for m in found.corrected()[0].document.mentions] == ["asthma", "gout"]
    write_corrections(tmp_path / "again.jsonl", [(DOCUMENT, found.acts)])
    assert (tmp_path / "again.jsonl").read_bytes() == file.read_bytes()


def test_a_file_that_was_cut_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only the act that is cut is lost, and the next one is added to a whole line."""
    whole = tmp_path / "whole.jsonl"
    write_corrections(whole, [(DOCUMENT, [CHOOSE, GOUT])])
    content = whole.read_bytes()
    cut = tmp_path / "cut.jsonl"
    for size in range(len(content)):
        cut.write_bytes(content[:size])
        caplog.clear()
        before = content[:size].count(b"\n") - 2
        with Journal(cut) as journal:
            acts = journal.corrections.acts
            assert len(acts) - max(before, 0) in (0, 1)
            assert ("was cut off" in caplog.text) == (journal.corrections.cut_off == 1)
            if len(acts) < 2:
                journal.add(DOCUMENT, (CHOOSE, GOUT)[len(acts)])
        assert len(read_corrections(cut).acts) == min(len(acts) + 1, 2)


def test_an_act_that_cannot_be_saved_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal(tmp_path / "c.jsonl") as journal:
        journal.add(DOCUMENT, CHOOSE)
        before = journal.path.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            with pytest.raises(InputError, match="No space left"):
                journal.add(DOCUMENT, GOUT)
        assert journal.path.read_bytes() == before
        journal.add(DOCUMENT, GOUT)
    assert read_corrections(tmp_path / "c.jsonl").acts == (CHOOSE, GOUT)


def test_an_act_survives_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    code = (
        "import os, signal, sys\n"
        "from biolink.corrections.files import Journal\n"
        "from tests.biolink.corrections.test_corrections import CHOOSE, DOCUMENT\n"
        "Journal(sys.argv[1]).add(DOCUMENT, CHOOSE)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)])
    assert done.returncode == -9
    assert read_corrections(file).acts == (CHOOSE,)


@pytest.mark.parametrize(
    ("lines", "number", "told"),
    [
        ([], 1, "an empty file"),
        (['{"id": "1", "text": "Fever."}'], 1, "not that"),
        (['{"biolink": "corrections", "version": 9}'], 1, "version is 9"),
        ([json.dumps(HEADER), "{broken"], 2, "JSON that is broken"),
        ([json.dumps(HEADER), "[1]"], 2, "no object"),
        ([json.dumps(HEADER), '{"act": "undo", "document": "9"}'], 2, "not there before"),
        ([json.dumps(HEADER), '{"document": {"id": "1", "text": "a"}}'] + [
            '{"act": "nil", "document": "1", "mention": 4, "start": 0, "end": 1, "text": "a"}',
            '{"act": "undo", "document": "2"}',
        ][:1] * 2, 3, "no such mention"),
        ([json.dumps(HEADER), '{"document": {"id": "1"}}'], 2, '"text" is missing'),
    ],
)  # fmt: skip
def test_errors_name_the_line(tmp_path: Path, lines: list[str], number: int, told: str) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text("".join(line + "\n" for line in lines))
    with pytest.raises(InputError, match=told) as raised:
        read_corrections(file)
    assert raised.value.line == number
    if lines:
        with pytest.raises(InputError):
            Journal(file)
        assert file.read_text() == "".join(line + "\n" for line in lines)
