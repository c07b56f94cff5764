"""Mentions that begin or end inside a code, and names that are a word with a number."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink import Mention
from biolink.infer.mentions.codes import (
    from_word_begins,
    with_codes_of_names,
    with_whole_numbers,
    without_bare_parts,
)


def marked(text: str) -> tuple[str, list[Mention]]:
    """A text without its < and >, and the spans between them as mentions."""
    plain, mentions = "", []
    for part in text.split("<"):
        inside, _, behind = part.rpartition(">")
        if inside:
            span = (len(plain), len(plain) + len(inside))
            mentions.append(Mention(*span, inside, "T", probability=0.9))
        plain += inside + behind
    return plain, mentions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COVID<-19 pneumonia>", ["COVID-19 pneumonia"]),
        ("COVID-<19 pneumonia>", ["COVID-19 pneumonia"]),
        ("SARS-CoV<-2 infection>", ["SARS-CoV-2 infection"]),
        ("Serum NT<-proBNP>", ["NT-proBNP"]),
        ("male Sprague<-Dawley rats>", ["Sprague-Dawley rats"]),
        ("non-N<-terminal peptide>", ["non-N-terminal peptide"]),
        # The word before the hyphen is a mention of its own.
        ("<angiotensin><-converting enzyme>", ["angiotensin", "-converting enzyme"]),
        ("<COVID>-<19 pneumonia>", ["COVID", "19 pneumonia"]),
        # A mention of its own behind a hyphen, a hyphen that joins nothing, and a part alone.
        ("anti-<PD-1> and GFP-<LC3>", ["PD-1", "LC3"]),
        ("drug <-induced> and <-19 x>", ["-induced", "-19 x"]),
        ("COVID-<19> COVID<-19> high<->affinity", ["19", "-19", "-"]),
    ],
)
def test_a_mention_begins_where_its_word_does(text: str, expected: list[str]) -> None:
    plain, mentions = marked(text)
    assert [m.text for m in from_word_begins(plain, mentions)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D-<2> and dopamine-<1>, 5-HT(<2C>), acid(<A>), peptide(1-<42>)", []),
        ("anti-<PD-1>, (<A>), group <B>, -<2>", ["PD-1", "A", "B", "2"]),
    ],
)
def test_a_number_or_letter_of_a_code_is_no_mention(text: str, expected: list[str]) -> None:
    plain, mentions = marked(text)
    assert [m.text for m in without_bare_parts(plain, mentions)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<PM2>.5 and PM<2.5> and PM2.<5> in air", ["PM2.5", "PM2.5", "PM2.5"]),
        ("<celecoxib 1>.34 and 1.<34 aspirin> or <1>.5", ["celecoxib", "aspirin"]),
        ("<Nav1.5 channels> and <v1.2.3>", ["Nav1.5 channels", "v1.2.3"]),
        # The number of a reference behind the end of a sentence.
        ("<H5N1>.12 In <H7N9>.3", ["H5N1", "H7N9"]),
        ("<asthma>.5 and <fever>.", ["asthma", "fever"]),
    ],
)
def test_a_number_with_a_point_is_not_cut(text: str, expected: list[str]) -> None:
    plain, mentions = marked(text)
    found = with_whole_numbers(plain, mentions)
    assert [m.text for m in found] == expected
    assert all(plain[m.start : m.end] == m.text for m in found)


def test_names_with_a_number_are_found_where_no_mention_is() -> None:
    def names(text: str, kind: str) -> bool:
        return (text, kind) in {("COVID-19", "Disease"), ("HIV-1", "Species"), ("IL-6", "Gene")}

    text, mentions = marked("COVID-19 pneumonia, COVID-19, <HIV-1 infection>, HIV-1, kg-1, IL-6")
    found = with_codes_of_names(text, mentions, ("Disease", "Species"), names)
    assert [(m.text, m.type) for m in found] == [
        ("COVID-19", "Disease"), ("COVID-19", "Disease"), ("HIV-1 infection", "T"),
        ("HIV-1", "Species"),
    ]  # fmt: skip
    # Only whole codes count.
    assert not with_codes_of_names("post-COVID-19 COVID-19x", [], ["Disease"], names)


@given(st.text("aB1.-( ", max_size=20), st.lists(st.integers(0, 20), max_size=6))
def test_mentions_stay_in_order_and_never_overlap(text: str, cuts: list[int]) -> None:
    edges = sorted({cut for cut in cuts if cut <= len(text)})
    mentions = [
        Mention(a, b, text[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=False) if a < b
    ]
    for step in (from_word_begins, without_bare_parts, with_whole_numbers):
        mentions = step(text, mentions)
        assert all(m.start < m.end and text[m.start : m.end] == m.text for m in mentions)
        assert all(a.end <= b.start for a, b in pairwise(mentions))
