"""Tables for the default's training: token ids of names, mentions and texts, which are made once.

Batches are made by look-ups in these arrays, so a fast device does not wait for tokenisation.
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

#: The most tokens of a name without the end token; longer names are rare systematic chemical names.
_NAME_LIMIT = 23
SOURCE_LIMIT = 160
_POSITIVES = 8
_MISSES = 24
#: Names with fewer characters are shared by chance too often to show that two concepts are one.
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
        items: list[int] = self.flat[self.offsets[row] : self.offsets[row + 1]].tolist()
        return items

    def padded(self) -> np.ndarray:
        """Return the rows as an array [rows, longest], padded with -1."""
        sizes = np.diff(self.offsets)
        result = np.full((len(self), max(1, int(sizes.max(initial=0)))), -1, self.flat.dtype)
        result[np.arange(result.shape[1])[None] < sizes[:, None]] = self.flat
        return result


def save_arrays(file: Path, **arrays: np.ndarray) -> None:
    """Write an ``.npz`` file, completely or not at all."""
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
        Token ids without special tokens.
    families
        Families of the owners of each name (:func:`families`).
    members
        Family -> name ids.
    kinds
        int8 [names]: the kind of each name; in the contrast, kinds are drawn equally often.
    candidate
        bool [names]: whether a mention may be linked to the name.
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
        Token ids of the encoder's input with special tokens, and of the bare mention and the
        decoder's prompt without special tokens.
    spans
        int32 [mentions, 2]: span of the marked mention in the source, in tokens.
    families
        Families of the gold concepts.
    right
        Name ids of the gold concepts, the most similar to the mention first.
    misses
        Name ids of other concepts, the most similar by n-grams first.
    own
        int32 [mentions]: the name that is in the knowledge base only because of this mention, or
        -1. The mention is not trained with this name.
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
    """Return the span of the marked mention in a source, with its markers, in tokens.

    If the source was cut before the end marker, the span ends with the source.
    """
    start, end = map(tokenizer.convert_tokens_to_ids, (form.start_marker, form.end_marker))
    return (
        ids.index(start) if start in ids else 0,
        ids.index(end) + 1 if end in ids else len(ids),
    )


def families(kb: KnowledgeBase) -> np.ndarray:
    """int32 [rows]: the family of each concept.

    Concepts of several sources that are the same share a family. Two concepts count
    as one if both have a name that is the preferred name of one of them.
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
    """Make the tables of all names.

    Parameters
    ----------
    kb, tokenizer
        The knowledge base and the tokeniser.
    candidates
        Normalised names to which a mention may be linked. The other names are used only in the
        contrast and in KB-guided samples.
    kind
        A function from the semantic types of a concept to a small number.
    """
    texts = kb.normalised_names()
    rows: list[list[int]] = []
    for begin in range(0, len(texts), 65_536):
        block = tokenizer(texts[begin : begin + 65_536], add_special_tokens=False)["input_ids"]
        rows += [ids[:_NAME_LIMIT] for ids in block]
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
    """Make the tables of mentions with a concept in the knowledge base.

    Parameters
    ----------
    samples, kb, index
        The mentions, the knowledge base to which they are linked (training mentions may be names
        in it) and its n-gram index. The rows of the samples are those of this knowledge base.
    plain
        The same knowledge base without mentions as names, which shows the names that are only
        mentions.
    whole, names
        The knowledge base from which ``names`` was made, and these tables. It begins with the
        concepts of ``kb``.
    tokenizer, form
        The tokeniser and the prompt form of the model.
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
    for number, sample in enumerate(samples):
        written = dict.fromkeys(n for row in sample.rows for n in kb.concept_at(row).names)
        ids = ((n, whole.name_id(n)) for n in written)
        known_names = [(n, name_id) for n, name_id in ids if name_id is not None]
        others = [(n, i) for n, i in known_names if i != own[number]] or known_names
        cosines = (index.vectors([n for n, _ in others]) @ vectors[number].T).toarray()[:, 0]
        order = np.argsort(-cosines, kind="stable")[:_POSITIVES]
        right.append(list(dict.fromkeys(others[i][1] for i in order)))
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
            [i for i in ids if i is not None and i != own[number] and names.candidate[i]]
            for number, ids in enumerate(translated)
        ]),
        np.array(own, dtype=np.int32),
    )  # fmt: skip
