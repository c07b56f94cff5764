"""Names that a text writes in other forms, in another order, or with words between.

``abnormalities of the left hand`` mentions the name ``Abnormal hand``, and ``palmar and plantar
pits`` the names ``Palmar pits`` and ``Plantar pits``. Only names of several words are found in this
way, because a single word in another form often means something else (``depressed``,
``Depression``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from biolink.infer.mentions.spans import HYPHENS
from biolink.infer.mentions.words import Words, may_join, singulars
from biolink.kb.stems import JOINING
from biolink.kb.word_sets import WordSets

__all__ = ["FREE", "LooseName", "loose_names"]

_HYPHENS = tuple(HYPHENS)
#: Words that separate the items of a list, beside commas.
_CONJUNCTIONS = frozenset(("and", "or"))
#: Words that link the head of a name before them with what they say of it.
_LINKS = frozenset("of is are was were".split())
#: Words that may stand anywhere between those of a name.
FREE = _LINKS | frozenset("the a an be been both either his her their its this these".split())
#: Words that are not between those of a name, because they say the opposite.
_NEGATIONS = frozenset("no not without never nor neither".split())
#: Words after which what stands before them is complete.
_AFTER = (
    JOINING
    | FREE
    | frozenset("as but than that which who when while may can could has have had".split())
)
#: A name has from so many to so many words.
_FEWEST, _MOST = 2, 6
#: The most words of an item of a list, and the most words between those of a name otherwise.
_ITEM, _BETWEEN = 2, 2
#: Words that say a state of something: "abnormal ribs" are an abnormality of the ribs.
_STATE = re.compile(
    "abnormal|absen|anomal|calcif|decreas|deform|delay|dilat|duplic|elongat|enlarg|fus(ed|ion)|"
    "increas|malform|reduc|shorten|thicken|plas(ia|tic)|troph(y|ic)|megaly|sclero|steno"
)
#: The most positions between the first and the last word.
_WIDEST = 12
#: At most so many words of a name are replaced by others that the base uses for them.
_REPLACED = 1


@dataclass(frozen=True, slots=True)
class LooseName:
    """A name in another form.

    Attributes
    ----------
    first, last
        The indices of its first and its last word in the text.
    name_id
        The name.
    """

    first: int
    last: int
    name_id: int


@dataclass(frozen=True, slots=True)
class _Clause:
    """A part of a text that a name does not go beyond, as a row of words and separators.

    Attributes
    ----------
    words
        The index of each word in the text; -1 for a comma.
    keys
        Each word as in normalised names.
    """

    words: list[int]
    keys: list[str]

    def separates(self, position: int) -> bool:
        return self.words[position] < 0 or self.keys[position] in _CONJUNCTIONS


def loose_names(text: str, words: Words, sets: WordSets) -> Iterator[LooseName]:
    """The names of several words that a text has in any form; they may overlap.

    Parameters
    ----------
    text, words
        A line of text and its words (:func:`biolink.infer.mentions.words.words_of`).
    sets
        The names.

    Examples
    --------
    >>> from biolink.infer.mentions.words import words_of
    >>> from biolink.kb import Concept, KnowledgeBase
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormal hand"), Concept("2", "Lip pits")])
    >>> text = "Abnormalities of the left hand and no pits of the lip"
    >>> words = words_of(text)
    >>> found = loose_names(text, words, WordSets.build(kb))
    >>> [text[words[name.first][0] : words[name.last][1]] for name in found]
    ['Abnormalities of the left hand', 'pits of the lip']
    """
    for clause in _clauses(text, words):
        for name in _in_clause(clause, sets):
            start, end = words[name.first][0], words[name.last][1]
            if not (text[max(0, start - 1) : start] in _HYPHENS or text[end : end + 1] in _HYPHENS):
                yield name


def _clauses(text: str, words: Words) -> Iterator[_Clause]:
    clause = _Clause([], [])
    for index, (start, _, key) in enumerate(words):
        gap = text[words[index - 1][1] : start] if index else ""
        if index and (not may_join(gap) or any(c in "()[]{}:=<>" for c in gap)):
            yield clause
            clause = _Clause([], [])
        elif "," in gap or "/" in gap:
            clause.words.append(-1)
            clause.keys.append("or" if "/" in gap else ",")
        clause.words.append(index)
        clause.keys.append(key)
    yield clause


def _in_clause(clause: _Clause, sets: WordSets) -> Iterator[LooseName]:
    places: dict[int, list[tuple[int, int]]] = {}
    for position, key in enumerate(clause.keys):
        if not clause.separates(position) and key not in FREE:
            for number, cost in sets.choices(key):
                places.setdefault(number, []).append((position, cost))
    for number in places:
        for name_id, stems in sets.anchored_at(number):
            if _FEWEST <= len(stems) <= _MOST and all(stem in places for stem in stems):
                for anchor in places[number]:
                    others = [places[stem] for stem in stems if stem != number]
                    span = _span(clause, anchor, others, sets, name_id)
                    if span is not None:
                        first, last = (clause.words[position] for position in span)
                        yield LooseName(first, last, name_id)


def _span(
    clause: _Clause,
    anchor: tuple[int, int],
    others: Sequence[Sequence[tuple[int, int]]],
    sets: WordSets,
    name_id: int,
) -> tuple[int, int] | None:
    """The first and the last position of a name whose words are those nearest to one of them."""
    position, cost = anchor
    chosen = {position}
    for places in others:
        near, more = min(places, key=lambda place: (abs(place[0] - position), place[1]))
        chosen.add(near)
        cost += more
    if len(chosen) <= len(others) or cost > _REPLACED:
        return None
    first, last = min(chosen), max(chosen)
    if last - first > _WIDEST:
        return None
    return (first, last) if _joined(clause, chosen, first, last, sets, name_id) else None


def _joined(
    clause: _Clause, chosen: set[int], first: int, last: int, sets: WordSets, name_id: int
) -> bool:
    """Whether the words of a name belong together, given what stands between and behind them."""
    keys = clause.keys
    inside = range(first, last + 1)
    rest = [position for position in inside if position not in chosen]
    if any(keys[position] in _NEGATIONS for position in rest):
        return False
    separators = [position for position in inside if clause.separates(position)]
    links = [position for position in rest if keys[position] in _LINKS]
    head = max(p for p in chosen if p < links[0]) if links else last
    if not _same_head(keys[head], sets, name_id):
        return False
    # In "abnormality of the hand muscles", the hand belongs to the muscles.
    follows = last + 1 < len(keys) and clause.words[last + 1] >= 0 and keys[last + 1] not in _AFTER
    if head != last and follows:
        return False
    if separators:
        return _in_list(clause, chosen, separators, head)
    between = [p for p in rest if keys[p] not in FREE]
    if between and (not links or len(between) > _BETWEEN or between[0] < links[0]):
        return False
    # A word between belongs to the next word of the name: "of the left hand".
    return all(p + 1 in chosen or p + 1 in between for p in between)


def _same_head(written: str, sets: WordSets, name_id: int) -> bool:
    """Whether the head of a text is the head of the name.

    They differ where one of them is a state, as in ``abnormal ribs`` and "Abnormality of the ribs".
    """
    head = sets.head_of(name_id)
    if {number for number, _ in sets.choices(head)} & {n for n, _ in sets.choices(written)}:
        return True
    return bool(_STATE.search(head) or _STATE.search(written))


def _in_list(clause: _Clause, chosen: set[int], separators: list[int], head: int) -> bool:
    """Whether a name is an item of a list with the head that all its items share.

    ``palmar and plantar pits`` has the name "palmar pits", and ``cysts of the liver or kidney`` the
    name "cysts of the kidney".
    """
    keys = clause.keys
    start, end = separators[0], separators[-1]
    if keys[end] not in _CONJUNCTIONS or any(start < position < end for position in chosen):
        return False
    written = {keys[position] for position in chosen}
    first, last = min(chosen), max(chosen)
    items: list[list[int]] = [[]]
    for position in range(first, last + 1):
        if clause.separates(position):
            items.append([])
        elif position not in chosen and keys[position] not in FREE:
            items[-1].append(position)
            if keys[position] in written:
                return False
    if any(len(item) > _ITEM for item in items):
        return False
    if head == last:  # palmar and plantar pits
        return (
            start - 1 in chosen
            and not singulars(keys[start - 1])
            and not items[0]
            and end + 1 in items[-1]
        )
    # cysts of the liver or kidney
    shared = any(keys[position] in FREE for position in range(head, start))
    return head == first and shared and bool(items[0]) and not items[-1]
