"""The markup of end-to-end generation: ``{ mention } [ concept name ]`` within the text.

Source: GENRE (De Cao et al., ICLR 2021), section 3.2. The text is copied token by token, so every
generated mention has known offsets in the source and need not be searched for. :class:`Machine`
defines which tokens may follow.
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

#: Braces and brackets in a text become parentheses, one character for each.
_BRACKETS = str.maketrans("{}[]", "()()")
_MARKED = re.compile(r"\{ (.*?) \} \[ [^\]]* \]", re.DOTALL)


def without_brackets(text: str) -> str:
    """The text as the model reads it, with parentheses for braces and brackets; of equal length."""
    return text.translate(_BRACKETS)


def marked(text: str, links: Sequence[tuple[int, int, str]]) -> str:
    """The text with markup for its mentions and their concepts.

    Parameters
    ----------
    text
        The text.
    links
        For each mention its start and end, in code points, and the name of its concept.

    Raises
    ------
    ValueError
        If mentions overlap.

    Examples
    --------
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
    """Remove the markup of :func:`marked`. Braces and brackets in the text stay parentheses.

    >>> unmarked("Take { aspirin } [ aspirin (acid) ].")
    'Take aspirin.'
    """
    return _MARKED.sub(r"\1", text)


@dataclass(frozen=True, slots=True)
class Marks:
    """The token ids of the markup ``{``, ``}``, ``[`` and ``]``, in this order."""

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
            If one of them is not a single token.
        """
        ids = [tokenizer(f" {m}", add_special_tokens=False)["input_ids"] for m in "{}[]"]
        if any(len(i) != 1 or i[0] == tokenizer.unk_token_id for i in ids):
            raise ModelError(
                "end-to-end generation needs {, }, [ and ] as tokens; this tokeniser lacks them"
            )
        return cls(*(i[0] for i in ids))


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of text as tokens.

    Attributes
    ----------
    ids
        The token ids, without special tokens.
    offsets
        The start and end of each token, in code points of the piece.
    border
        bool [tokens + 1]: whether a mention may begin or end before each token. It may not do so
        within a run of letters and digits.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    border: tuple[bool, ...]


def source_of(text: str, tokenizer: Any) -> Source:
    """The tokens of a piece of text, after :func:`without_brackets`."""
    plain = without_brackets(text)
    encoded = tokenizer(plain, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets = []
    for begin, end in encoded["offset_mapping"]:
        # Byte-level BPE includes the space before a word in the word's token.
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
    """How far a hypothesis has got.

    Attributes
    ----------
    kind
        OUTSIDE: between mentions. MENTION: within a mention. CLOSED: after ``}``. ENTITY: within a
        name. DONE: after the end token.
    place
        The number of tokens of the source that have been copied.
    begun
        The value of ``place`` where the open mention began.
    node
        The node of the name trie.
    """

    kind: int = OUTSIDE
    place: int = 0
    begun: int = 0
    node: int = 0


class Machine:
    """A state machine that defines which tokens may follow, for one source and a trie of names.

    Parameters
    ----------
    source, trie
        The source that is copied, and the names, each of which ends with the end token.
    marks, end_id
        The tokens of the markup, and the token that ends a name and the output.
    limit
        The most tokens of the output, end token included. A mention is opened only if there is
        room for all tokens that must follow.

    Raises
    ------
    ValueError
        If the source itself does not fit into the limit.
    """

    def __init__(
        self, source: Source, trie: NameTrie, marks: Marks, end_id: int, limit: int
    ) -> None:
        if len(source.ids) + 1 > limit:
            raise ValueError(f"a source of {len(source.ids)} tokens does not fit into {limit}")
        self.source, self.trie, self.marks, self.end_id = source, trie, marks, end_id
        # Room for three marks and a name, whose end token is written as the fourth mark.
        self._room = limit - 1 - (3 + trie.depth)

    def allowed(self, state: State, used: int) -> np.ndarray:
        """The tokens that may follow in a state, if ``used`` tokens have been generated."""
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
            following = []
            if state.place < size:
                following.append(source.ids[state.place])
            if state.place > state.begun and source.border[state.place]:
                following.append(marks.close)
            return np.array(following)
        if state.kind == CLOSED:
            return np.array([marks.begin])
        if state.kind == ENTITY:
            tokens = np.array(self.trie.children(state.node)[0], dtype=np.int64)
            tokens[tokens == self.end_id] = marks.end
            return tokens
        return np.empty(0, dtype=np.int64)

    def after(self, state: State, token: int) -> State:
        """The state that follows a state after an allowed token."""
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
    """The tokens of the source with markup, which the model is trained to generate.

    Parameters
    ----------
    source
        The source.
    links
        For each mention: its first token, the token after its last, and the tokens of the name
        without the end token. Mentions are in ascending order and do not overlap.
    marks, end_id
        The tokens of the markup, and the end token.
    """
    target: list[int] = []
    last = 0
    for first, end, name in links:
        target += source.ids[last:first]
        target += [marks.open, *source.ids[first:end], marks.close, marks.begin, *name]
        target.append(marks.end)
        last = end
    return [*target, *source.ids[last:], end_id]
