"""Further occurrences of the names that were found in a full text."""

from __future__ import annotations

import re

from biolink import Document, Mention
from biolink.infer.mentions.abbreviations import find_abbreviations
from biolink.infer.mentions.full_text import every_occurrence


def spans(text: str, *found: str, short: bool = False) -> list[str]:
    document = Document("", text)
    starts = [
        (re.search(rf"(?<!\w){re.escape(w)}(?! oxide)(?!\w)", text).start(), w) for w in found
    ]  # type: ignore[union-attr]
    mentions = [Mention(a, a + len(w), w, "Chemical") for a, w in starts]
    kept = every_occurrence(document, mentions, find_abbreviations if short else None)
    assert document.with_mentions(kept).mentions == tuple(kept)
    assert {m.type for m in kept} <= {"Chemical"}
    return [f"{m.text}@{m.start}" for m in kept]


def test_whole_words_in_either_case() -> None:
    assert spans("Aspirin, aspirin, aspirins.", "Aspirin") == ["Aspirin@0", "aspirin@9"]


def test_short_names_and_capitals_are_exact() -> None:
    assert spans("Lead, lead, Lead", "Lead") == ["Lead@0", "Lead@12"]
    assert spans("NaCl2 nacl2", "NaCl2") == ["NaCl2@0"]


def test_signs_belong_to_names() -> None:
    assert spans("Ca2+ and Ca2 and Ca2+", "Ca2+") == ["Ca2+@0", "Ca2+@17"]


def test_short_forms_are_found() -> None:
    text = "Nitric oxide (NO) forms. NO is a gas."
    assert spans(text, "Nitric oxide", short=True) == ["Nitric oxide@0", "NO@14", "NO@25"]


def test_nothing_overlaps() -> None:
    text = "zinc oxide, zinc; zinc oxide, zinc"
    assert spans(text, "zinc oxide", "zinc") == ["zinc oxide@0", "zinc@12", "zinc oxide@18",
                                                 "zinc@30"]  # fmt: skip


def test_the_most_frequent_type_counts() -> None:
    document = Document("", "lead a lead b lead c lead")
    given = [
        Mention(0, 4, "lead", "Gene"),
        Mention(7, 11, "lead", "Chemical"),
        Mention(14, 18, "lead", "Chemical"),
    ]
    assert every_occurrence(document, given)[-1].type == "Chemical"


def test_names_that_are_mostly_passed_over_are_left_as_they_are() -> None:
    assert spans("antibiotic " * 4, "antibiotic") == [f"antibiotic@{i * 11}" for i in range(4)]
    assert spans("antibiotic " * 5, "antibiotic") == ["antibiotic@0"]


def test_numbers_and_single_letters_are_not_repeated() -> None:
    assert spans("2 and 2, K and K", "2", "K") == ["2@0", "K@9"]
