"""The boundaries of mentions of variants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink import Document, Mention
from biolink.infer.mentions.variants import whole_variants


def cut(text: str) -> list[str]:
    mentions = whole_variants(Document("", text), [Mention(0, len(text), text, "Variant")])
    assert all(text[m.start : m.end] == m.text for m in mentions)
    return [m.text for m in mentions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-509C>T", ["-509C>T"]),
        ("(TA)7", ["(TA)7"]),
        ("del-(439-443)", ["del-(439-443)"]),
        ("643C>T (", ["643C>T"]),
        ("M404V) of", ["M404V"]),
        ("c.1712C>T (Ala569Val", ["c.1712C>T", "Ala569Val"]),
        ("/Met at residue 175", ["Met at residue 175"]),
        ("C to T", ["C to T"]),
        ("rs1799752,", ["rs1799752"]),
        ("Tyrosine", []),
        ("-1082", []),
        ("A", []),
        ("-", []),
        ("(", []),
    ],
)
def test_brackets_and_marks_at_the_ends_are_cut(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(st.text(alphabet="()[]-+> ,A1cT.", max_size=12).filter(bool))
def test_any_text_gives_spans_within_it(text: str) -> None:
    found = cut(text)
    assert all(part in text and part.strip() == part for part in found)
