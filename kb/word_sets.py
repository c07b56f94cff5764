"""Names as sets of word stems, so that inflections and the order of words do not matter.

``abnormalities of the hand`` has the same stems as the name ``Abnormal hand``. Words that only join
others (``of``, ``the``) do not count.

A base also tells which words mean the same: where two names of one concept differ in one word
only, as ``Renal cysts`` and ``Kidney cysts`` do, and where this is so for several concepts, the
words may stand for each other.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice, product, takewhile
from pathlib import Path

import numpy as np

from biolink.kb.arrays import check_ascending, check_range, mapped_array
from biolink.kb.index_cache import cached
from biolink.kb.knowledge_base import KnowledgeBase
from biolink.kb.names import normalise_name
from biolink.kb.sealed import Kind, checked_manifest, seal
from biolink.kb.stems import ENDING_SHARE, JOINING, alike, is_word, stem

__all__ = ["KIND", "WordSets", "word_sets"]

#: Words may stand for each other if this many concepts have names that differ in them only, and if
#: these are at least this share of the names with the rarer word.
_CONCEPTS, _SHARE = 5, 0.1
#: Of the names with the same words but one, this many at most are compared with each.
_NEIGHBOURS = 6
#: At most this many sets of words are looked up for one text.
_MOST_SETS = 64

#: The names whose words are counted together, and the words of texts whose stems are kept.
_BLOCK, _KEPT = 200_000, 100_000
KIND = Kind(
    "biolink-words",
    1,
    "index of words",
    ("stems.npy", "indptr.npy", "words.json"),
    "build it again",
)


class WordSets:
    """The names of a knowledge base as sets of word stems.

    A stem is known by a number. Names whose words all only join others have no set.

    Parameters
    ----------
    kb
        The knowledge base; of a subset, the whole base is taken.
    words
        The stems; the position of each is its number.
    stems, indptr
        The numbers of the stems of name ``i`` are ``stems[indptr[i]:indptr[i + 1]]``, in ascending
        order: int32, and int64 [names + 1].

    Examples
    --------
    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the hand")])
    >>> sets = WordSets.build(kb)
    >>> [kb.name_at(i) for i in sets.names_of("abnormal hands")]
    ['abnormality of the hand']
    """

    def __init__(
        self, kb: KnowledgeBase, words: Sequence[str], stems: np.ndarray, indptr: np.ndarray
    ) -> None:
        self.kb, self.stems, self.indptr = kb.base, stems, indptr
        self._number = {word: number for number, word in enumerate(words)}
        # A random number for each stem; their sum tells a set, whatever the order.
        self._random = np.random.default_rng(0).integers(0, 2**64, len(words) + 1, dtype=np.uint64)
        sums = np.concatenate([[np.uint64(0)], np.cumsum(self._random[stems])])
        self._sums = sums[indptr[1:]] - sums[indptr[:-1]]
        self._order = np.argsort(self._sums, kind="stable")
        self._at: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        self._heads: dict[int, str] = {}
        self._choices: dict[str, tuple[tuple[int, int], ...]] = {}

    @classmethod
    def build(cls, kb: KnowledgeBase) -> WordSets:
        """Find the stems of all names of the base, also if a subset is given."""
        names = kb.base.normalised_names()
        number: dict[str, int] = {}
        of_word: dict[str, int] = {"\n": -1, "": -1} | dict.fromkeys(JOINING, -1)
        all_numbers, all_sizes = [], []
        for begin in range(0, len(names), _BLOCK):
            words = " \n ".join([*names[begin : begin + _BLOCK], ""]).split(" ")
            for word in dict.fromkeys(words):
                if word not in of_word:
                    of_word[word] = number.setdefault(stem(word), len(number))
            numbers = np.array([of_word[word] for word in words], dtype=np.int32)
            breaks = np.array([word == "\n" for word in words])
            numbers, sizes = _sets(
                numbers, np.cumsum(breaks) - breaks, min(_BLOCK, len(names) - begin)
            )
            all_numbers.append(numbers)
            all_sizes.append(sizes)
        indptr = np.concatenate([[0], np.cumsum(np.concatenate([[], *all_sizes]))])
        stems = np.concatenate([np.empty(0, dtype=np.int32), *all_numbers])
        return cls(kb, list(number), stems, indptr.astype(np.int64))

    def save(self, folder: Path, fingerprint: str) -> None:
        """Write the sets into an existing folder; ``fingerprint`` is that of the names."""
        np.save(folder / "stems.npy", self.stems)
        np.save(folder / "indptr.npy", self.indptr)
        words = json.dumps(list(self._number), ensure_ascii=False)
        (folder / "words.json").write_text(words, encoding="utf-8")
        seal(folder, KIND, {"fingerprint": fingerprint})

    @classmethod
    def load(cls, kb: KnowledgeBase, folder: Path, fingerprint: str) -> WordSets:
        """Read what :meth:`save` wrote.

        Raises
        ------
        KnowledgeBaseError
            If the files are damaged, or were written for other names.
        """
        checked_manifest(folder, KIND, fingerprint)
        stems = mapped_array(folder / "stems.npy", np.int32)
        indptr = mapped_array(folder / "indptr.npy", np.int64)
        try:
            words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise KIND.damage(folder / "words.json", f"cannot be read ({error})") from None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise KIND.damage(folder / "words.json", "is not a list of strings")
        if len(indptr) != kb.name_slots + 1:
            raise KIND.damage(folder / "indptr.npy", f"is not for {kb.name_slots:,} names")
        check_ascending(folder / "indptr.npy", indptr, 0, len(stems))
        check_range(folder / "stems.npy", stems, len(words))
        return cls(kb, words, stems, indptr)

    @cached_property
    def _in_order(self) -> list[str]:
        return sorted(filter(is_word, self._number))

    def choices(self, word: str) -> tuple[tuple[int, int], ...]:
        """The stems of names that a word may stand for, each with its cost.

        These are its own stem, which costs nothing, and those in its place (:attr:`instead`). If
        no name has the stem, it is a stem of which this one is the beginning, or the other way
        round.
        """
        known = self._choices.get(word)
        if known is None:
            if len(self._choices) >= _KEPT:
                self._choices.clear()
            known = self._choices[word] = tuple(self._chosen(stem(word)))
        return known

    def _chosen(self, wanted: str) -> Iterator[tuple[int, int]]:
        number = self._number.get(wanted)
        if number is not None:
            yield number, 0
            yield from self.instead.get(number, ())
        elif is_word(wanted):
            at = bisect_left(self._in_order, wanted)
            for other in self._in_order[max(0, at - 1) : at + 1]:
                begins = wanted.startswith(other) or other.startswith(wanted)
                if begins and alike(wanted, other, ENDING_SHARE):
                    yield self._number[other], 0

    def of_name(self, name_id: int) -> tuple[int, ...]:
        """The stems of a name."""
        return tuple(self.stems[self.indptr[name_id] : self.indptr[name_id + 1]].tolist())

    def with_stems(self, stems: Iterable[int]) -> list[int]:
        """The ids of the names with exactly these stems."""
        wanted = tuple(sorted(set(stems)))
        if not wanted:
            return []
        key = self._random[list(wanted)].sum(dtype=np.uint64)
        first = np.searchsorted(self._sums, key, sorter=self._order)
        found = []
        for name_id in map(int, self._order[first:]):
            if self._sums[name_id] != key:
                break
            if self.of_name(name_id) == wanted:
                found.append(name_id)
        return found

    def names_of(self, text: str) -> list[int]:
        """The ids of the names with the words of a text, as they are or with words in their place.

        Names in which fewer words are replaced are preferred; all that are equally good are given.
        """
        words = [word for word in normalise_name(text).split() if word not in JOINING]
        choices = []
        for word in dict.fromkeys(words):
            choices.append(self.choices(word))
        if not choices or not all(choices):
            return []
        sets = sorted(
            zip(range(_MOST_SETS), product(*choices), strict=False),
            key=lambda item: sum(cost for _, cost in item[1]),
        )
        least = 0
        found: list[int] = []
        for _, chosen in sets:
            cost = sum(cost for _, cost in chosen)
            if found and cost > least:
                break
            least = cost
            found += self.with_stems(number for number, _ in chosen)
        return list(dict.fromkeys(found))

    def together(self, words: Sequence[str]) -> bool:
        """Whether a name has all of several words, or words that begin like them.

        >>> from biolink.kb import Concept
        >>> kb = KnowledgeBase.from_concepts([Concept("1", "Cystic lung disease")])
        >>> sets = WordSets.build(kb)
        >>> sets.together(["lung", "cyst"]), sets.together(["lung", "nodule"])
        (True, False)
        """
        names: set[int] | None = None
        for word in words:
            numbers = {number for number, _ in self.choices(word)}
            forms = _beginning_with(self._in_order, stem(word))
            numbers |= {self._number[form] for form in forms}
            having: set[int] = set().union(*map(self._having, numbers))
            names = having if names is None else names & having
        return bool(names)

    def _having(self, number: int) -> list[int]:
        """The ids of the names that have a stem."""
        order, indptr = self._by_stem
        entries = order[indptr[number] : indptr[number + 1]]
        return (np.searchsorted(self.indptr, entries, side="right") - 1).tolist()

    @cached_property
    def _by_stem(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions in ``stems`` of each stem: (positions, indptr)."""
        order = np.argsort(self.stems, kind="stable")
        numbers = np.arange(len(self._number) + 1)
        return order, np.searchsorted(self.stems[order], numbers)

    def names_around(self, text: str, added: Iterable[str]) -> list[int]:
        """The ids of the names with the words of a text, at least two, and one of other words.

        >>> from biolink.kb import Concept
        >>> kb = KnowledgeBase.from_concepts([Concept("1", "Localized skin lesion")])
        >>> len(WordSets.build(kb).names_around("skin lesions", ["localized"]))
        1
        """
        words = [word for word in normalise_name(text).split() if word not in JOINING]
        numbers = {self._number.get(stem(word), -1) for word in words}
        if len(numbers) < 2 or -1 in numbers:
            return []
        more = {number for word in added if (number := self._number.get(stem(word))) is not None}
        return [
            name_id
            for number in sorted(more - numbers)
            for name_id in self.with_stems(numbers | {number})
        ]

    @cached_property
    def instead(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """For each stem, the stems that may stand in its place, each with its cost.

        The cost is 0 for a form of the same word (``patella``, ``patellar``) and 1 for another.
        """
        left, right = self._exchanged()
        base = len(self._number) + 1
        pairs, counts = np.unique(left * base + right, return_counts=True)
        words = list(self._number)
        frequency = np.bincount(self.stems, minlength=base)
        instead: dict[int, list[tuple[int, int]]] = {}
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            first, second = divmod(pair, base)
            cost = 0 if alike(words[first], words[second]) else 1
            rarer = min(frequency[first], frequency[second])
            often = count >= max(_CONCEPTS, _SHARE * rarer)
            if all(map(is_word, (words[first], words[second]))) and (often or not cost):
                instead.setdefault(first, []).append((second, cost))
                instead.setdefault(second, []).append((first, cost))
        return {number: tuple(others) for number, others in instead.items()}

    def _exchanged(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of stems in which names of one concept differ, once for each concept."""
        indptr, rows, _ = self.kb.ownership
        owners = np.diff(indptr)
        sizes = np.diff(self.indptr)
        # One entry for each stem of each name of each concept, with the sum of the other stems.
        name_of = np.repeat(np.arange(len(owners)), owners)
        count = sizes[name_of]
        count[count < 2] = 0
        total = int(count.sum())
        starts = np.repeat(self.indptr[name_of] - np.cumsum(count) + count, count)
        stems = self.stems[starts + np.arange(total)].astype(np.int64)
        rest = np.repeat(self._sums[name_of], count) - self._random[stems]
        row_of = np.repeat(rows.astype(np.int64), count)
        order = np.lexsort((stems, rest, row_of))
        stems, rest, row_of = stems[order], rest[order], row_of[order]
        found = [np.empty((0, 3), dtype=np.int64)]
        for step in range(1, _NEIGHBOURS):
            same = (rest[step:] == rest[:-step]) & (row_of[step:] == row_of[:-step])
            same &= stems[step:] != stems[:-step]
            columns = (row_of[step:][same], stems[:-step][same], stems[step:][same])
            found.append(np.stack(columns, 1))
        pairs = np.unique(np.concatenate(found), axis=0)
        return pairs[:, 1], pairs[:, 2]

    @cached_property
    def _anchored(self) -> tuple[np.ndarray, np.ndarray]:
        """The names that have each stem as their rarest one: (indptr, name ids)."""
        frequency = np.bincount(self.stems, minlength=len(self._number))
        sizes = np.diff(self.indptr)
        name_ids = np.flatnonzero(sizes)
        # The rarest stem of a name; of equally rare ones that with the lowest number.
        key = frequency[self.stems].astype(np.int64) * (len(self._number) + 1) + self.stems
        least = np.minimum.reduceat(key, self.indptr[:-1][name_ids]) if len(name_ids) else key
        rarest = least % (len(self._number) + 1)
        order = np.lexsort((name_ids, rarest))
        return np.searchsorted(rarest[order], np.arange(len(self._number) + 1)), name_ids[order]

    def anchored_at(self, number: int) -> list[tuple[int, tuple[int, ...]]]:
        """The ids of the names of which a stem is the rarest, and the stems of each."""
        known = self._at.get(number)
        if known is None:
            indptr, name_ids = self._anchored
            ids = map(int, name_ids[indptr[number] : indptr[number + 1]])
            known = self._at[number] = [(name_id, self.of_name(name_id)) for name_id in ids]
        return known

    def head_of(self, name_id: int) -> str:
        """The word of a name that says what it names, the rest of the name adding to it.

        It is the last word before ``of`` or a comma, or the last word of all.

        >>> from biolink.kb import Concept
        >>> kb = KnowledgeBase.from_concepts([Concept("1", "Abnormality of the hand")])
        >>> WordSets.build(kb).head_of(0)
        'abnormality'
        """
        known = self._heads.get(name_id)
        if known is None:
            written = self.kb.written_name(self.kb.owners(name_id)[0], name_id)
            words = normalise_name(written.split(",")[0]).split()
            joining = [i for i, word in enumerate(words) if i and word in JOINING]
            words = words[: joining[0]] if joining else words
            known = self._heads[name_id] = words[-1] if words else ""
        return known

    def shared_by(self, name_ids: Sequence[int]) -> int | None:
        """The row of the only concept that owns names, or None if they have several owners."""
        owners = {row for name_id in name_ids for row in self.kb.owners(name_id)}
        return owners.pop() if len(owners) == 1 else None


def _beginning_with(words: Sequence[str], beginning: str) -> Iterator[str]:
    """The words, given in order, that begin with some letters."""
    following = islice(words, bisect_left(words, beginning), None)
    return takewhile(lambda word: word.startswith(beginning), following)


@lru_cache(maxsize=2)
def _of_base(base: KnowledgeBase) -> WordSets:
    key = base.fingerprint
    sets, _ = cached(
        base,
        "words",
        key,
        lambda folder, fingerprint, _: WordSets.load(base, folder, fingerprint),
        lambda: WordSets.build(base),
        lambda sets, folder: sets.save(folder, key),
    )
    return sets


def _sets(numbers: np.ndarray, name_of: np.ndarray, names: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct stems of each name, and how many it has.

    Parameters
    ----------
    numbers, name_of
        The stem and the name of each word; the stem of a word that does not count is -1.
    names
        The number of names.
    """
    # In "on bipolar cell", the first word does not join others: such a name has no set.
    first = np.searchsorted(name_of, np.arange(names))
    begins_badly = numbers[first] < 0
    counted = numbers >= 0
    counted &= ~np.append(begins_badly, True)[np.minimum(name_of, names)]
    base = int(numbers.max(initial=0)) + 1
    pairs = np.unique(name_of[counted].astype(np.int64) * base + numbers[counted])
    owners, stems = np.divmod(pairs, base)
    return stems.astype(np.int32), np.bincount(owners, minlength=names)[:names]


def word_sets(kb: KnowledgeBase) -> WordSets:
    """The names of a whole base as sets of word stems; those of the last bases are kept.

    >>> from biolink.kb import Concept
    >>> kb = KnowledgeBase.from_concepts([Concept("1", "Short ears")])
    >>> word_sets(kb) is word_sets(kb.subset(ids="1"))
    True
    """
    return _of_base(kb.base)
