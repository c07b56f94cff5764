"""Passages hold the words around mentions, and the mentions stand where their offsets say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biolink.kb.names import fold
from biolink.kb.prompt import PromptForm
from biolink.kb.reading import passages, sources

FORM = PromptForm(reading="document", passage=8)
WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen"


def read(text: str, *words: str, written: str | None = None, form: PromptForm = FORM) -> list[str]:
    """What stands at the offsets of the words, each with its passage."""
    mentions = []
    for word in words:
        start = text.index(word)
        mentions.append((start, start + len(word), written or word))
    return [f"{source[a:b]} | {source}" for source, (a, b) in passages(text, mentions, form)]


def test_near_mentions_share_a_passage() -> None:
    assert read(WORDS, "one", "five", "seven", "thirteen") == [
        "one | one two three four five six seven eight",
        "five | one two three four five six seven eight",
        "seven | five six seven eight nine ten eleven twelve",
        "thirteen | six seven eight nine ten eleven twelve thirteen",
    ]
    every = passages(WORDS, [(m, m + 1, WORDS[m]) for m in (0, 8, 20)], replace(FORM, passage=99))
    assert [source for source, _ in every] == [WORDS] * 3


def test_long_forms_are_written_into_the_text() -> None:
    text = "Severe SBMA, SBMA\nor (SBMA)."
    spans = [(7, 11), (13, 17), (22, 26)]
    found = passages(text, [(*span, "Muscular Atrophy") for span in spans], FORM)
    first = "severe muscular atrophy, muscular atrophy or (muscular atrophy)."
    assert found[0] == (first, (7, 23))
    assert [first[a:b] for _, (a, b) in found] == ["muscular atrophy"] * 3
    # If mentions overlap, one is replaced, and the others stand where it stands.
    inside = passages("a SBMA b", [(2, 4, "other"), (2, 6, "long form"), (4, 6, "MA")], FORM)
    assert inside == [("a long form b", (2, 11))] * 3


def test_case_and_prefix_are_those_of_the_form() -> None:
    form = replace(FORM, lower=False, source_prefix="<p> ")
    assert read("The Fever ends.", "Fever", form=form) == ["Fever | <p> The Fever ends."]


def test_folded_texts_keep_their_mentions() -> None:
    assert read("A ﬁbrosis and β-thalassaemia.\u2009Ill", "ﬁbrosis", "β-thalassaemia", "Ill") == [
        "fibrosis | a fibrosis and beta-thalassaemia. ill",
        "beta-thalassaemia | a fibrosis and beta-thalassaemia. ill",
        "ill | a fibrosis and beta-thalassaemia. ill",
    ]


@given(
    st.text(alphabet="ab β\u200bﬁ\n.é", max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=6),
    st.integers(1, 6),
)
def test_any_mention_is_found(text: str, drawn: list[tuple[int, int, bool]], passage: int) -> None:
    mentions = []
    for a, b, long in drawn:
        start, end = sorted((min(a, len(text)), min(b, len(text))))
        if start < end:
            mentions.append((start, end, "a longer form" if long else text[start:end]))
    form = replace(FORM, passage=passage)
    found = sources(text, mentions, form)
    assert len(found) == len(mentions)
    replaced = any(text[start:end] != written for start, end, written in mentions)
    for (start, end, _), (source, span) in zip(mentions, found, strict=True):
        assert span is not None
        assert 0 <= span[0] <= span[1] <= len(source)
        assert len(source.split()) <= passage
        words = " ".join(fold(text[start:end]).lower().split())
        whole = passage >= len(text.split())
        if not replaced and whole and fold(text) == "".join(map(fold, text)):
            assert source[slice(*span)] == words


@pytest.mark.parametrize("text", ["", " ", "\u200b"])
def test_nothing_is_read_as_nothing(text: str) -> None:
    assert passages(text, [(0, len(text), text)], FORM) == [("", (0, 0))]


def test_characters_that_fold_to_nothing_move_no_mention() -> None:
    assert passages("\u200ba", [(0, 2, "\u200ba")], FORM) == [("a", (0, 1))]
    assert passages("b\u200ba", [(1, 3, "\u200ba")], FORM) == [("ba", (1, 2))]
