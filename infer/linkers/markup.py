"""The markup of end-to-end generation: ``{ mention } [ concept name ]`` within the text.

Source: GENRE (De Cao et al., ICLR 2021), section 3.2. The text is copied token by token, so what a
hypothesis says is a place in the source and never has to be found again; :class:`Machine` knows
what may come next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from biolink.errors import ModelError
from biolink.kb.trie import NameTrie

__all__ = [
    "Machine",
    "Marks",
    "Source",
    "State",
    "marked",
    "marked_ids",
    "source_of",
    "unmarked",
    "without_brackets",
]

#: Brackets of the markup become parentheses in a text; every character stays one character.
_BRACKETS = str.maketrans("{}[]", "()()")
_MARKED = re.compile(r"\{ (.*?) \} \[ [^\]]* \]", re.DOTALL)


def without_brackets(text: str) -> str:
    """The text as the model reads it; of the same length."""
    return text.translate(_BRACKETS)


def marked(text: str, links: Sequence[tuple[int, int, str]]) -> str:
    """The text with its markup.

    Parameters
    ----------
    links
        (start, end, name) of mentions that do not overlap.

    >>> marked("Take aspirin.", [(5, 12, "aspirin [acid]")])
    'Take { aspirin } [ aspirin (acid) ].'
    """
    plain = without_brackets(text)
    pieces, last = [], 0
    for start, end, name in sorted(links):
        if start < last:
            raise ValueError(f"the mention {start}-{end} overlaps the one before it")
        pieces += [plain[last:start], "{ ", plain[start:end], " } [ ", without_brackets(name), " ]"]
        last = end
    return "".join([*pieces, plain[last:]])


def unmarked(text: str) -> str:
    """What :func:`marked` was given, brackets written as parentheses."""
    return _MARKED.sub(r"\1", text)


@dataclass(frozen=True, slots=True)
class Marks:
    """Token ids of the markup: ``{``, ``}``, ``[`` and ``]``."""

    open: int
    close: int
    begin: int
    end: int

    @classmethod
    def of(cls, tokenizer: Any) -> Marks:
        """The marks of a tokeniser.

        Raises
        ------
        ModelError
            When one of them is no token of its own.
        """
        ids = [tokenizer(f" {m}", add_special_tokens=False)["input_ids"] for m in "{}[]"]
        if any(len(i) != 1 or i[0] == tokenizer.unk_token_id for i in ids):
            raise ModelError(
                "end-to-end generation needs {, }, [ and ] as tokens; this tokeniser lacks them"
            )
        return cls(*(i[0] for i in ids))


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of text in tokens.

    Attributes
    ----------
    ids
        Tokens, without special ones.
    offsets
        (start, end) of each, in code points of the piece.
    border
        bool [tokens + 1]: a mention may begin, or end, before this token. Never within a run of
        letters and digits.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    border: tuple[bool, ...]


def source_of(text: str, tokenizer: Any) -> Source:
    """Tokens of a piece of text, its brackets replaced."""
    plain = without_brackets(text)
    encoded = tokenizer(plain, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets = []
    for begin, end in encoded["offset_mapping"]:
        # Byte-level BPE counts the space before a word as the word's.
        while begin < end and plain[begin].isspace():
            begin += 1
        offsets.append((begin, end))
    border = [True]
    for (_, end), (begin, after) in pairwise(offsets):
        inside = end == begin and end > 0 and after > begin
        border.append(not (inside and plain[end - 1].isalnum() and plain[begin].isalnum()))
    border = [*border, True] if offsets else [True]
    return Source(tuple(encoded["input_ids"]), tuple(offsets), tuple(border))


OUTSIDE, MENTION, CLOSED, ENTITY, DONE = range(5)


class State(NamedTuple):
    """Where a hypothesis stands.

    Attributes
    ----------
    kind
        OUTSIDE: between mentions. MENTION: within one. CLOSED: behind ``}``. ENTITY: within a
        name. DONE: behind the end token.
    place
        Tokens of the source that are copied.
    begun
        Where the open mention began.
    node
        Of the name trie.
    """

    kind: int = OUTSIDE
    place: int = 0
    begun: int = 0
    node: int = 0


class Machine:
    """What may follow, over one source and the names of a trie.

    Parameters
    ----------
    source, trie
        What is copied, and the names (each ends with the end token).
    marks, end_id
        Tokens of the markup, and the end token of names and of the whole.
    limit
        Most tokens of the output, end token included: a mention is opened only where there is
        room for all that must follow.

    Raises
    ------
    ValueError
        When the limit has no room for the source alone.
    """

    def __init__(
        self, source: Source, trie: NameTrie, marks: Marks, end_id: int, limit: int
    ) -> None:
        if len(source.ids) + 1 > limit:
            raise ValueError(f"a source of {len(source.ids)} tokens does not fit into {limit}")
        self.source, self.trie, self.marks, self.end_id = source, trie, marks, end_id
        # Open, close, begin; the name's end token is written as the end mark.
        self._room = limit - 1 - (3 + trie.depth)

    def allowed(self, state: State, used: int) -> np.ndarray:
        """Tokens that may come next, after so many of them."""
        source, marks = self.source, self.marks
        size = len(source.ids)
        if state.kind == OUTSIDE:
            if state.place == size:
                return np.array([self.end_id])
            copied = source.ids[state.place]
            fits = used + size - state.place <= self._room
            if fits and source.border[state.place] and len(self.trie):
                return np.array([copied, marks.open])
            return np.array([copied])
        if state.kind == MENTION:
            going = []
            if state.place < size:
                going.append(source.ids[state.place])
            if state.place > state.begun and source.border[state.place]:
                going.append(marks.close)
            return np.array(going)
        if state.kind == CLOSED:
            return np.array([marks.begin])
        if state.kind == ENTITY:
            tokens = np.array(self.trie.children(state.node)[0], dtype=np.int64)
            tokens[tokens == self.end_id] = marks.end
            return tokens
        return np.empty(0, dtype=np.int64)

    def after(self, state: State, token: int) -> State:
        """The state behind an allowed token."""
        marks = self.marks
        if state.kind == OUTSIDE:
            if state.place == len(self.source.ids):
                return state._replace(kind=DONE)
            if token == marks.open:
                return state._replace(kind=MENTION, begun=state.place)
            return state._replace(place=state.place + 1)
        if state.kind == MENTION:
            if token == marks.close and state.place > state.begun:
                return state._replace(kind=CLOSED)
            return state._replace(place=state.place + 1)
        if state.kind == CLOSED:
            return state._replace(kind=ENTITY, node=0)
        wanted = self.end_id if token == marks.end else token
        tokens, first = self.trie.children(state.node)
        node = first + int(np.searchsorted(tokens, wanted))
        kind = OUTSIDE if token == marks.end else ENTITY
        return state._replace(kind=kind, node=node)


def marked_ids(
    source: Source, links: Sequence[tuple[int, int, Sequence[int]]], marks: Marks, end_id: int
) -> list[int]:
    """Tokens of the marked source, as they are taught.

    Parameters
    ----------
    links
        (first token, token behind the last, tokens of the name without its end token), ascending,
        without overlap.
    """
    target: list[int] = []
    last = 0
    for first, behind, name in links:
        target += source.ids[last:first]
        target += [marks.open, *source.ids[first:behind], marks.close, marks.begin, *name]
        target.append(marks.end)
        last = behind
    return [*target, *source.ids[last:], end_id]
