"""Whose gene: the species that a document names, and where it names them.

A name of a gene is often shared by the genes of several species. The document decides: the species
named next to the mention, in its sentence, before it, in the title, or most often in the text.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from biolink.documents import Document
from biolink.kb.types import type_name

__all__ = ["PLACES", "Named", "TaxaInText", "WordWeights", "cells_in", "named_taxa", "words_in"]

#: Word -> taxon -> by how much the word speaks for the taxon, in nats. The entry "" has the bias.
WordWeights = Mapping[str, Mapping[str, float]]

#: Where a document may name the species of a gene, from the strongest evidence to the weakest.
PLACES = (
    *("beside", "alone", "nearest", "sentence", "before", "title", "frequent", "share"),
    *("cell_sentence", "cell_before", "cells"),
)

_WORD = re.compile(r"[A-Za-z]+")
#: A word that may name a species: "MEN1" and "PIG7" are genes.
_SPECIES_WORD = re.compile(r"(?<![^\W_])[A-Za-z]+(?![^\W_])")
#: Capitals only, with up to this many letters, are an abbreviation: "CAT", "MEN".
_SHORT = 4
#: The name of a cell line or strain, which may hold digits and punctuation.
_CELL = re.compile(r"[A-Za-z0-9][A-Za-z0-9/.\-]*")
#: Animals that mostly bear human cells.
_HOST = re.compile(
    r"\b(?:nude|scid|athymic|immunodeficient|nod|immunocompromised|xenograft\w*)\W", re.I
)
#: Words for cells of another animal that such an animal bears, or where they come from.
_BORNE = re.compile(
    r"\b(?:xeno|engraft|graft|transplant|implant|inoculat|tumou?r|cancer|carcinoma|metasta)", re.I
)
_SENTENCE_END = re.compile(r"[.!?][\])\"']*\s+(?=[A-Z0-9(])|\n")
#: What may stand between the name of a species and a mention that is a gene of this species.
_DIRECTLY_BEFORE = re.compile(
    r"(?:-derived|\))?[ -](?:(?:wild[- ]type|recombinant|endogenous|full-length|mutant|native|"
    r"mature|with|had|have|lack|lacked|lacking|(?:mutant|deficient|null) (?:for|in)) )?"
)
_DIRECTLY_AFTER = re.compile(
    r"(?: (?:genes?|proteins?|mRNAs?|transcripts?|expression|levels?))? (?:in|of|from) "
    r"(?:(?:the|an?) )?"
    r"| \((?:in |from |of )?"
    r"|(?:\(?[+-]/[+-]\)?|[ -](?:deficient|null|mutant|knock-?out|KO)) "
)
#: What may stand between the name of a species and the mention beside it.
_NEXT = re.compile(r"[^,;.]{0,12}")
#: What may stand between a mention and the name of the species after it.
_IN = re.compile(r"[\s,)]*(?:\w+ )?(?:in|of|from)(?: the)?\s+")
#: By this number of characters, a species that is not beside a mention is further away than the
#: text between them says, and by twice that if it is named after the mention.
_APART = 20
#: At this number of characters before a mention, the name of a species says less by a factor of e.
_FAR = 400


@dataclass(frozen=True, slots=True)
class Named:
    """The name of a species, or of cells of a species, at an offset of a text."""

    start: int
    end: int
    taxon: str


@dataclass(frozen=True)
class TaxaInText:
    """The names of species in a text.

    Attributes
    ----------
    text
        The text.
    named
        The names in the order of the text.
    title_end
        Where the title ends, or 0.
    weights
        What the words of a text say about the species of its genes, as training documents teach.
    cells
        The names of cell lines and strains in the order of the text, with their species.
    """

    text: str
    named: tuple[Named, ...]
    title_end: int = 0
    weights: WordWeights = field(default_factory=dict)
    cells: tuple[Named, ...] = ()

    @cached_property
    def likelihoods(self) -> dict[str, float]:
        """The logarithm of each species' probability, by all words of the text."""
        totals = dict(self.weights.get("", {}))
        if not totals:
            return {}
        for word in words_in(self.text):
            for taxon, weight in self.weights.get(word, {}).items():
                totals[taxon] += weight
        top = max(totals.values())
        norm = top + math.log(sum(math.exp(total - top) for total in totals.values()))
        return {taxon: total - norm for taxon, total in totals.items()}

    def _sentence(self, offset: int) -> tuple[int, int]:
        ends = self._sentence_ends
        number = bisect_right(ends, offset)
        begin = ends[number - 1] if number else 0
        return begin, ends[number] if number < len(ends) else len(self.text)

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each species is named."""
        return Counter(name.taxon for name in self.named)

    @cached_property
    def _sentence_ends(self) -> list[int]:
        return [match.end() for match in _SENTENCE_END.finditer(self.text)]

    def evidence(self, start: int, end: int) -> dict[str, dict[str, float]]:
        """Where the text names each species, seen from a mention.

        Parameters
        ----------
        start, end
            The offsets of the mention.

        Returns
        -------
        For each species that is named, or whose cells are named, the strength of the evidence of
        each of :data:`PLACES`: from 0 to 1, except for ``cells``, which grows with their number.
        """
        found: dict[str, dict[str, float]] = {}
        begin, stop = self._sentence(start)
        self._add_names(found, start, end, begin, stop)
        self._add_cells(found, start, begin, stop)
        return found

    def _add_names(
        self, found: dict[str, dict[str, float]], start: int, end: int, begin: int, stop: int
    ) -> None:
        """Add what the names of species say; ``begin`` and ``stop`` bound the sentence."""
        if not self.named:
            return
        if (direct := self._direct(start, end, begin, stop)) is not None:
            found[direct] = {"direct": 1.0}
        (_, most), *others = self.counts.most_common(2)
        tied = [most] == [count for _, count in others]
        for taxon, count in self.counts.items():
            found.setdefault(taxon, {})["share"] = count / self.counts.total()
            if count == most and not tied:
                found[taxon]["frequent"] = 1.0
        nearest: tuple[int, str] | None = None
        last: Named | None = None
        for name in self.named:
            places = found[name.taxon]
            if name.end <= self.title_end:
                places["title"] = 1.0
            if name.start < start:
                last = name
            if begin <= name.start < stop:
                places["sentence"] = 1.0
                inside = start <= name.start and name.end <= end
                after = _IN.fullmatch(self.text, end, max(end, name.start))
                before = name.end <= start and _NEXT.fullmatch(self.text, name.end, start)
                beside = bool(inside or after or before)
                if beside:
                    places["beside"] = 1.0
                distance = start - name.end if name.start < start else name.start - end
                if not beside:
                    distance += _APART if name.start < start else 2 * _APART
                if nearest is None or distance < nearest[0]:
                    nearest = distance, name.taxon
        if nearest is not None:
            found[nearest[1]]["nearest"] = 1.0
            if sum("sentence" in places for places in found.values()) == 1:
                found[nearest[1]]["alone"] = 1.0
        if last is not None:
            found[last.taxon]["before"] = _nearness(last, start)

    def _direct(self, start: int, end: int, begin: int, stop: int) -> str | None:
        """The species whose name is part of a mention, right before it, or after "in" or "of"."""
        here = [name for name in self.named if begin <= name.start < stop]
        for name in here:
            if start <= name.start and name.end <= end:
                return name.taxon
        for name in here:
            if name.end <= start and _DIRECTLY_BEFORE.fullmatch(self.text, name.end, start):
                return name.taxon
        for name in here:
            if name.start >= end and _DIRECTLY_AFTER.fullmatch(self.text, end, name.start):
                return name.taxon
        return None

    def _add_cells(
        self, found: dict[str, dict[str, float]], start: int, begin: int, stop: int
    ) -> None:
        """Add what the names of cells say."""
        for taxon, count in Counter(name.taxon for name in self.cells).items():
            found.setdefault(taxon, {})["cells"] = math.log1p(count)
        last: Named | None = None
        for name in self.cells:
            if name.start < start:
                last = name
            if begin <= name.start < stop:
                found[name.taxon]["cell_sentence"] = 1.0
        if last is not None:
            found[last.taxon]["cell_before"] = _nearness(last, start)


def _nearness(name: Named, start: int) -> float:
    """How near a name is to the mention after it, from 0 to 1."""
    return math.exp(-max(0, start - name.end) / _FAR)


def words_in(text: str) -> set[str]:
    """Return the words of a text in lower case, each once.

    >>> sorted(words_in("Mice, and mice only."))
    ['and', 'mice', 'only']
    """
    return {match[0].lower() for match in _WORD.finditer(text) if len(match[0]) > 2}


def named_taxa(
    document: Document,
    words: Mapping[str, str],
    weights: WordWeights,
    cells: Mapping[str, str],
    taxa: Iterable[str] | None = None,
) -> TaxaInText:
    """Find the names of species in a document.

    Parameters
    ----------
    document
        The document. Its mentions of species and cell lines count if they are linked.
    words
        Words and pairs of words in lower case that name a species -> its NCBI Taxonomy id.
    weights
        See :class:`TaxaInText`.
    cells
        Names of cell lines and strains without case, spaces and punctuation -> their species.
    taxa
        The species that count where a mention is linked to them. A virus that is named beside a
        gene says nothing about whose gene it is. Default: None, for all.
    """
    wanted = None if taxa is None else set(taxa)
    text = document.text
    found = _species_words(text, words)
    for mention in document.mentions:
        if not mention.links or type_name(mention.type) != "species":
            continue
        start, end, taxon = mention.start, mention.end, mention.links[0].concept_id
        known = wanted is None or taxon in wanted
        # "Fruit flies" are linked to the genus, and the words say which of its species has genes.
        whole = None if known else found.get((start, end))
        found = {span: t for span, t in found.items() if span[1] <= start or end <= span[0]}
        if known or whole is not None:
            found[start, end] = taxon if whole is None else whole
    # The animals that bear human cells do not count.
    of_cells = tuple(
        cell
        for cell in cells_in(text, cells)
        if not _HOST.search(text[max(0, cell.start - 6) : cell.end + 14])
    )
    named = [Named(start, end, taxon) for (start, end), taxon in sorted(found.items())]
    hosts = [name for name in named if _is_host(text, name.start, name.end)]
    if hosts:
        others = [name for name in named if name not in hosts]
        human = any(name.taxon == "9606" for name in (*others, *of_cells))
        if human or _BORNE.search(text):
            named = others
    title = next((p.end for p in document.passages if p.kind == "title"), 0)
    return TaxaInText(text, tuple(named), title, weights, of_cells)


def _species_words(text: str, words: Mapping[str, str]) -> dict[tuple[int, int], str]:
    """The spans of the words and pairs of words that name a species, with its taxon."""
    found: dict[tuple[int, int], str] = {}
    previous = None
    for match in _SPECIES_WORD.finditer(text):
        written, word = match[0], match[0].lower()
        taxon = None
        if previous is not None and text[previous.end() : match.start()] in (" ", ". "):
            taxon = words.get(f"{previous[0].lower()} {word}")
            if taxon is not None:
                found[previous.start(), match.end()] = taxon
                found.pop(previous.span(), None)
        if taxon is None and not (written.isupper() and len(written) <= _SHORT):
            taxon = words.get(word)
            if taxon is not None:
                found[match.span()] = taxon
        previous = match
    return found


def _is_host(text: str, start: int, end: int) -> bool:
    """Whether an animal only bears human cells, as the word before its name or in it says."""
    before = text[max(0, start - 20) : start].split()[-1:]
    return bool(_HOST.search(" ".join((*before, text[start:end]))))


def cells_in(text: str, cells: Mapping[str, str]) -> Iterator[Named]:
    """Yield the names of cell lines and strains in a text.

    >>> [cell.end for cell in cells_in("C57BL/6 mice", {"c57bl6": "10090"})]
    [7]
    """
    if not cells:
        return
    previous: re.Match[str] | None = None
    for match in _CELL.finditer(text):
        key = _plain(match[0])
        taxon, begin = cells.get(key), match.start()
        if taxon is None and previous is not None and begin - previous.end() == 1:
            taxon, begin = cells.get(_plain(previous[0]) + key), previous.start()
        # "Mef" and "chose" are not cell lines.
        if taxon is not None and any(map(str.isupper, text[begin : match.end()])):
            yield Named(begin, match.end(), taxon)
        previous = match


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
