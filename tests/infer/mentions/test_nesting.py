"""Mentions within longer ones."""

from __future__ import annotations

import pytest

from biolink import Document, Mention
from biolink.infer.mentions.nesting import nested, outer_first, without_fragments


def mentions(text: str, *words: str) -> list[Mention]:
    spans = [(text.index(word), text.index(word) + len(word)) for word in words]
    return [Mention(start, end, text[start:end]) for start, end in spans]


def test_nested_are_those_within_a_longer_one() -> None:
    text = "breast and ovarian cancer"
    words = ("breast and ovarian cancer", "ovarian cancer", "cancer", "breast")
    assert nested(mentions(text, *words)) == {1, 2, 3}
    # Overlapping mentions, and two of the same span, are not nested.
    assert not nested(mentions(text, "breast and ovarian", "ovarian cancer", "ovarian cancer"))


def test_outer_mentions_are_read_without_the_nested_ones() -> None:
    text = "ERK1/2 and p53"
    document = Document("1", text, mentions=tuple(mentions(text, "ERK1", "ERK1/2", "p53")))
    seen = []

    def read(part: Document) -> list[str]:
        seen.append([m.text for m in part.mentions])
        return [m.text.lower() for m in part.mentions]

    assert outer_first(document, read) == ["erk1", "erk1/2", "p53"]
    assert seen == [["ERK1/2", "p53"], ["ERK1"]]


@pytest.mark.parametrize(
    ("outer", "inner", "kept"),
    [
        ("SK-MEL-28", "MEL", False),
        ("IL-6 receptor", "IL", False),
        ("IL-6 receptor", "IL-6", True),
        ("interleukin-6", "interleukin", False),
        ("interferon alpha", "alpha", False),
        ("Interferon Alpha", "Alpha", False),
        ("TGF-β1", "β", False),
        ("MHC class II", "II", False),
        ("NF-kappaB", "NF", False),
        ("BCR-ABL fusion", "ABL", True),
        ("D-glucose", "glucose", True),
        ("TNF-alpha-induced apoptosis", "TNF-alpha", True),
        ("lung cancer", "cancer", True),
    ],
)
def test_a_fragment_of_a_name_is_no_mention(outer: str, inner: str, kept: bool) -> None:
    found = without_fragments(outer, mentions(outer, outer, inner))
    assert [m.text for m in found] == ([outer, inner] if kept else [outer])
    # A mention that is not nested stays, whatever it is.
    assert without_fragments(outer, mentions(outer, inner))
