"""What a text says of its mentions: the manual's sentences, the formats, the filter."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest

import biolink
from biolink import Document, Mention
from biolink.assertion import ASSERTIONS, Assertions, checked_assertions
from biolink.errors import ConfigError, MissingDependencyError
from tests.commands import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "assertion.md"


@pytest.fixture(scope="module")
def asserted() -> Assertions:
    return Assertions()


def document(text: str, *words: str) -> Document:
    starts = [text.index(word) for word in words]
    mentions = (Mention(s, s + len(w), w) for s, w in zip(starts, words, strict=True))
    return Document("1", text, mentions=tuple(mentions))


def test_the_sentences_of_the_manual(asserted: Assertions) -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    rows = [row for row in rows if len(row) == 4 and row[0] not in ("sentence", "---")]
    right = 0
    for sentence, mention, expected, found in rows:
        (there,) = asserted(document(sentence, mention)).mentions
        assert " ".join(there.assertions) == found, sentence
        right += found == expected
    sentences = len({row[0] for row in rows})
    assert sentences >= 20
    figure = (
        f"Of the {len(rows)} mentions in the {sentences} sentences below, {right} get the right"
    )
    assert figure in page


def test_a_sentence_or_a_line_ends_the_scope(asserted: Assertions) -> None:
    given = document("No fever. Cough.\nNo rash\nItching", "fever", "Cough", "rash", "Itching")
    assert [m.assertions for m in asserted(given).mentions] == [("negated",), (), ("negated",), ()]
    again = asserted(asserted(given))
    assert [m.assertions for m in again.mentions] == [("negated",), (), ("negated",), ()]
    assert asserted(Document("1", "")).mentions == ()


def with_all() -> Document:
    mentions = (
        Mention(0, 5, "fever", "Sign", ("D1",), assertions=("negated", "family")),
        Mention(6, 11, "cough", "Sign", ("D2",)),
    )
    return Document("1", "fever cough", mentions=mentions)


@pytest.mark.parametrize("name", ["jsonl", "tsv", "csv", "bioc-json", "bioc-xml", "pubannotation",
                                  "brat"])  # fmt: skip
def test_formats_hold_assertions(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    biolink.write(with_all(), tmp_path / "x", name)
    (back,) = biolink.read(tmp_path / "x", None if name == "brat" else name)
    assert [m.assertions for m in back.mentions] == [("negated", "family"), ()]
    assert "assertion" not in caplog.text


def test_other_formats_show_or_count_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert "fever (Sign, negated, family)" in biolink.to_html(with_all())
    assert list(biolink.to_dataframe(with_all())["assertions"]) == ["negated family", ""]
    biolink.write(with_all(), tmp_path / "x", "pubtator")
    assert "assertions of mentions (2)" in caplog.text


def test_what_other_tools_say_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    biolink.write(with_all(), tmp_path / "x", "bioc-json")
    text = (tmp_path / "x").read_text().replace("negated|family", "present")
    (tmp_path / "x").write_text(text)
    (back,) = biolink.read(tmp_path / "x", "bioc-json")
    assert back.mentions[0].assertions == ()
    assert "the infon 'assertion' of annotations (1)" in caplog.text


def test_the_filter() -> None:
    (kept,) = biolink.without(with_all(), ["negated"])
    assert [m.text for m in kept.mentions] == ["cough"]
    (kept,) = biolink.without(with_all(), ["historical"])
    assert len(kept.mentions) == 2
    assert checked_assertions(ASSERTIONS) == ASSERTIONS
    with pytest.raises(ConfigError, match="'denied' is no assertion; expected negated"):
        checked_assertions("denied")


def test_the_command(tmp_path: Path) -> None:
    text = "No evidence of pneumonia. She has asthma."
    done = run("link", "--text", text, "--context", "--to", "tsv")
    assert re.search(r"\tpneumonia\t.*\tnegated\n", done.stdout), done.stderr
    done = run("link", "--text", text, "--context", "--without", "negated", "--to", "tsv")
    assert "\tpneumonia\t" not in done.stdout
    assert "\tasthma\t" in done.stdout
    done = run("link", "--text", text, "--without", "denied")
    assert done.stderr.startswith("biolink: error: 'denied' is no assertion")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_negspacy(name: str, *given: Any, **named: Any) -> Any:
        if name.startswith("negspacy"):
            raise ImportError(name)
        return original(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without_negspacy)
    with pytest.raises(MissingDependencyError, match=r"biolink\[context\]"):
        Assertions()
