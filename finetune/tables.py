"""What the default's training draws from: token ids of names, mentions and texts, made once.

Batches are then array look-ups, so that a fast device does not wait for text to be prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from biolink.finetune.samples import MentionSample
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.files import replace_file
from biolink.kb.lexical import LexicalIndex, near_misses
from biolink.kb.prompt import PromptForm

__all__ = [
    "SOURCE_LIMIT",
    "Mentions",
    "Names",
    "Ragged",
    "families",
    "marked_span",
    "mention_tables",
    "name_tables",
    "save_arrays",
]

_NAME_LIMIT = 23  # tokens beside the end token; longer names are rare systematic chemical names
SOURCE_LIMIT = 160
_POSITIVES = 8
_MISSES = 24
#: Shorter names are shared by chance too often to say that two concepts are one.
_TELLING = 5


@dataclass(frozen=True)
class Ragged:
    """Rows of different length: row i is ``flat[offsets[i]:offsets[i + 1]]``."""

    flat: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], dtype: type = np.int32) -> Ragged:
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        items = (item for row in rows for item in row)
        flat: np.ndarray = np.fromiter(items, dtype, int(offsets[-1]))
        return cls(flat, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> list[int]:
        found: list[int] = self.flat[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found

    def padded(self) -> np.ndarray:
        """[rows, longest], filled up with -1."""
        sizes = np.diff(self.offsets)
        result = np.full((len(self), max(1, int(sizes.max(initial=0)))), -1, self.flat.dtype)
        result[np.arange(result.shape[1])[None] < sizes[:, None]] = self.flat
        return result


def save_arrays(file: Path, **arrays: np.ndarray) -> None:
    """Write an ``.npz`` file, whole or not at all."""
    with replace_file(file) as stream:
        np.savez(stream.buffer, **arrays)  # type: ignore[attr-defined, arg-type]


class _Stored:
    """Saving and loading of a frozen dataclass of arrays and ragged rows."""

    def save(self, file: Path) -> None:
        arrays: dict[str, np.ndarray] = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Ragged):
                arrays[field.name], arrays[f"{field.name}.offsets"] = value.flat, value.offsets
            else:
                arrays[field.name] = value
        save_arrays(file, **arrays)

    @classmethod
    def load(cls, file: Path) -> Any:
        with np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        values = {
            field.name: Ragged(arrays[field.name], arrays[f"{field.name}.offsets"])
            if f"{field.name}.offsets" in arrays
            else arrays[field.name]
            for field in fields(cls)  # type: ignore[arg-type]
        }
        return cls(**values)


@dataclass(frozen=True)
class Names(_Stored):
    """The names of a knowledge base, by name id.

    Attributes
    ----------
    tokens
        Token ids without special ones.
    families
        Families of the owners (:func:`families`).
    members
        Family -> name ids.
    kinds
        int8 [names]: what types take turns by in the contrast.
    candidate
        bool [names]: what a mention may be linked to.
    """

    tokens: Ragged
    families: Ragged
    members: Ragged
    kinds: np.ndarray
    candidate: np.ndarray


@dataclass(frozen=True)
class Mentions(_Stored):
    """Annotated mentions.

    Attributes
    ----------
    sources, texts, prompts
        Token ids: the encoder's input with its special tokens, the bare mention and the decoder's
        prompt without them.
    spans
        int32 [mentions, 2]: where the marked mention stands in the source, in tokens.
    families
        Of the gold concepts.
    right
        Name ids of the gold concepts, the most similar to the mention first.
    misses
        Name ids of other concepts, the most similar by n-grams first.
    own
        int32 [mentions]: the name that the knowledge base knows from this mention alone, or -1.
        It is no name to learn from.
    """

    sources: Ragged
    texts: Ragged
    prompts: Ragged
    spans: np.ndarray
    families: Ragged
    right: Ragged
    misses: Ragged
    own: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)


def marked_span(ids: Sequence[int], tokenizer: Any, form: PromptForm) -> tuple[int, int]:
    """Where the marked mention stands in a source, its markers included, in tokens.

    A source that was cut before its end marker is marked to its end.
    """
    start, end = map(tokenizer.convert_tokens_to_ids, (form.start_marker, form.end_marker))
    return (
        ids.index(start) if start in ids else 0,
        ids.index(end) + 1 if end in ids else len(ids),
    )


def families(kb: KnowledgeBase) -> np.ndarray:
    """int32 [rows]: concepts that are one across sources have one number.

    Two concepts are one where a name that is preferred by one of them belongs to both.
    """
    parent = np.arange(kb.data.table.num_rows, dtype=np.int64)

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    indptr, rows, preferred = kb.ownership
    for name_id in np.flatnonzero(np.diff(indptr) > 1):
        span = slice(indptr[name_id], indptr[name_id + 1])
        if preferred[span].any() and len(kb.name_at(int(name_id))) >= _TELLING:
            first, *others = map(root, map(int, rows[span]))
            for other in others:
                parent[root(other)] = root(first)
    roots = np.array([root(row) for row in range(len(parent))])
    _, numbers = np.unique(roots, return_inverse=True)
    return numbers.astype(np.int32)


def name_tables(
    kb: KnowledgeBase,
    tokenizer: Any,
    candidates: Iterable[str],
    kind: Callable[[tuple[str, ...]], int],
) -> Names:
    """Tables of all names.

    Parameters
    ----------
    candidates
        Normalised names that a mention may be linked to; others serve the contrast and the
        KB-guided samples only.
    kind
        Semantic types of a concept -> a small number.
    """
    texts = kb.normalised_names()
    rows: list[list[int]] = []
    for begin in range(0, len(texts), 65_536):
        found = tokenizer(texts[begin : begin + 65_536], add_special_tokens=False)["input_ids"]
        rows += [ids[:_NAME_LIMIT] for ids in found]
    indptr, owners, _ = kb.ownership
    of_row = families(kb)
    of_name = Ragged(of_row[owners], np.asarray(indptr, dtype=np.int64))
    members: list[list[int]] = [[] for _ in range(int(of_row.max(initial=-1)) + 1)]
    for name_id in range(len(texts)):
        for family in dict.fromkeys(of_name[name_id]):
            members[family].append(name_id)
    candidate = np.zeros(len(texts), dtype=bool)
    candidate[[i for i in map(kb.name_id, candidates) if i is not None]] = True
    kinds = np.array([kind(kb.types_at(int(owners[begin]))) for begin in indptr[:-1]], np.int8)
    return Names(Ragged.of(rows, np.uint16), of_name, Ragged.of(members), kinds, candidate)


def mention_tables(
    samples: Sequence[MentionSample],
    kb: KnowledgeBase,
    index: LexicalIndex,
    plain: KnowledgeBase,
    whole: KnowledgeBase,
    names: Names,
    tokenizer: Any,
    form: PromptForm,
) -> Mentions:
    """Tables of mentions with a concept in the knowledge base.

    Parameters
    ----------
    samples, kb, index
        The mentions, the knowledge base that they are linked to (training mentions may be names
        in it) and its n-grams. The samples' rows are of this base.
    plain
        The same base without mentions as names: tells which names are mentions only.
    whole, names
        The base that ``names`` was made of. It begins with the concepts of ``kb``.
    """
    samples = [sample for sample in samples if sample.rows]
    of_row = families(whole)
    texts = [normalise_name(s.mention) or s.mention.lower() for s in samples]
    sources = tokenizer([s.source for s in samples], truncation=True, max_length=SOURCE_LIMIT)
    spans = [marked_span(ids, tokenizer, form) for ids in sources["input_ids"]]
    own = []
    for text in texts:
        name_id = whole.name_id(text)
        known = name_id is None or plain.name_id(text) is not None
        own.append(-1 if known else int(name_id or 0))
    vectors = index.vectors(texts)
    right: list[list[int]] = []
    for place, sample in enumerate(samples):
        written = dict.fromkeys(n for row in sample.rows for n in kb.concept_at(row).names)
        found = [(n, whole.name_id(n)) for n in written]
        kept = [(n, i) for n, i in found if i is not None and i != own[place]]
        kept = kept or [(n, i) for n, i in found if i is not None]
        cosines = (index.vectors([n for n, _ in kept]) @ vectors[place].T).toarray()[:, 0]
        order = np.argsort(-cosines, kind="stable")[:_POSITIVES]
        right.append(list(dict.fromkeys(int(kept[i][1] or 0) for i in order)))
    wrong = near_misses(texts, [s.rows for s in samples], kb, index, _MISSES)
    translated = [[whole.name_id(kb.name_at(i)) for i in of_mention] for of_mention in wrong]
    bare = tokenizer(texts, add_special_tokens=False)["input_ids"]
    prompts = form.prompt_ids(tokenizer, [s.mention for s in samples], 0)
    return Mentions(
        Ragged.of(sources["input_ids"], np.uint16),
        Ragged.of([ids[:_NAME_LIMIT] for ids in bare], np.uint16),
        Ragged.of([ids[1:][-_NAME_LIMIT:] for ids in prompts], np.uint16),
        np.array(spans, dtype=np.int32).reshape(-1, 2),
        Ragged.of([sorted({int(of_row[row]) for row in s.rows}) for s in samples]),
        Ragged.of(right),
        Ragged.of([
            [i for i in ids if i is not None and i != own[place] and names.candidate[i]]
            for place, ids in enumerate(translated)
        ]),
        np.array(own, dtype=np.int32),
    )  # fmt: skip
