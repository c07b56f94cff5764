"""Candidates of a mention by its spellings, and the features by which they are ranked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biolink.documents import Document, Mention
from biolink.infer.names.spellings import KINDS, shorter_keys
from biolink.infer.names.taxa import PLACES, TaxaInText
from biolink.infer.names.view import (
    Memory,
    NameView,
    cased_key,
    describing_words,
    key_of,
    roles_in,
)

__all__ = ["FEATURES", "NIL_FEATURES", "OF_PLACES", "MentionCandidates", "Reading"]

#: The features of a candidate, in the order of the columns.
FEATURES = (
    *KINDS,
    "long_exact",
    "long_other",
    "written",
    "symbol",
    "cased",
    "preferred",
    "position",
    "owners",
    "annotated",
    "annotated_share",
    "symbol_annotated",
    "symbol_share",
    "within_annotated",
    "within_share",
    "popular",
    "names",
    "role_missing",
    "coherent",
    "context",
    "ortholog",
    "ortholog_near",
    *(f"taxon_{place}" for place in PLACES),
    "taxon_against",
    "symbol_alone",
    "taxon_words",
    "taxon_fit",
    "taxon_written",
    "taxon_style",
    "taxon_unsaid",
    "taxon_other",
    "taxon_order",
    "taxon_letter",
    "capitals",
)
#: The features that say where the document names the species.
OF_PLACES = (
    *(f"taxon_{place}" for place in PLACES),
    *("taxon_against", "symbol_alone", "taxon_unsaid", "taxon_other", "taxon_order"),
)
_COLUMN = {name: column for column, name in enumerate(FEATURES)}
#: The features of NIL.
NIL_FEATURES = (
    *("always", "no_exact", "no_candidate", "short", "unannotated"),
    *("foreign_direct", "foreign_beside", "foreign_alone", "foreign_only"),
)
#: The number of them that are about species of which the base has no gene.
_FOREIGN = sum(name.startswith("foreign") for name in NIL_FEATURES)
#: The most candidates of a mention.
_MOST = 60
#: Spellings up to this one are near the mention.
_NEAR = KINDS.index("letters")
#: The columns of which one is positive for a concept with a name like the mention, or whose
#: preferred name is that of such a concept.
_LIKE = [_COLUMN[name] for name in (*KINDS[: KINDS.index("member")], "long_exact", "long_other")]
_LIKE.append(_COLUMN["ortholog_near"])
#: The place of a candidate that no spelling leads to.
_NONE = len(KINDS)
#: The least logarithm of a probability of a species.
_LEAST = -9.0
#: Letters before a symbol, and the species that they mean.
_LETTERS = {"h": "9606", "m": "10090", "r": "10116", "d": "7227", "z": "7955"}
_LETTER = re.compile(r"([hmrdz])(?=[A-Z]|\d)")


@dataclass(frozen=True, slots=True)
class MentionCandidates:
    """The candidates of a mention.

    Attributes
    ----------
    rows, name_ids
        int [candidates]: the row of each candidate and the id of the name that leads to it.
    features
        float [candidates, features]
    nil
        float [NIL features]
    places
        For each candidate, the strongest evidence for its species (:data:`PLACES`), ``unsaid`` if
        the document names no species, or "" if it names others only or the concept has no taxon.
    """

    rows: np.ndarray
    name_ids: np.ndarray
    features: np.ndarray
    nil: np.ndarray
    places: tuple[str, ...]


@dataclass(slots=True)
class _Reached:
    """How a mention leads to a concept: a name, and the kinds of spelling (:data:`KINDS`).

    ``kind`` is that of the mention itself, ``long_kind`` that of its long form, and ``through``
    that by which the mention leads to a concept of the same preferred name.
    """

    name_id: int
    kind: int = _NONE
    long_kind: int = _NONE
    through: int = _NONE

    @property
    def best(self) -> int:
        return min(self.kind, self.long_kind, self.through)


@dataclass(frozen=True)
class _Taught:
    """How often training documents link a mention to each row and to each preferred name.

    ``within`` says that they do so with a shorter name within the mention.
    """

    rows: Counter[int]
    symbols: Counter[str]
    within: bool = False


class Reading:
    """A document as its mentions are linked: what it says about all of them.

    Parameters
    ----------
    view
        The knowledge base.
    document
        The document.
    mentions
        The mentions that are to be linked, with their long forms.
    memory
        What training documents teach.
    taxa
        The species that the document names.
    order
        Species in the order of preference where the document names none; empty if the concepts
        have no taxon.
    """

    def __init__(
        self,
        view: NameView,
        document: Document,
        mentions: Sequence[Mention],
        memory: Memory,
        taxa: TaxaInText,
        order: Sequence[str],
    ) -> None:
        self.view, self.memory, self.taxa, self.order = view, memory, taxa, order
        self.mentions = mentions
        self.words = describing_words(document.text)
        self.keys = Counter(key_of(m.text) for m in mentions)
        self.keys.update(key_of(m.long_form) for m in mentions if m.long_form)
        self._known: dict[tuple[str, str | None], MentionCandidates] = {}

    def candidates(self) -> list[MentionCandidates]:
        """The candidates of each mention with their features."""
        made: dict[tuple[object, ...], MentionCandidates] = {}
        result = []
        for mention in self.mentions:
            evidence: Mapping[str, Mapping[str, float]] = {}
            if self.order:
                evidence = self.taxa.evidence(mention.start, mention.end)
            known = (
                mention.text,
                mention.long_form,
                tuple((taxon, *places.items()) for taxon, places in evidence.items()),
            )
            if known not in made:
                made[known] = self._of_mention(mention, evidence)
            result.append(made[known])
        return result

    @cached_property
    def fits(self) -> dict[str, tuple[float, float, float]]:
        """For each taxon, the shares of mentions that fit the names of its concepts.

        These are the mentions that are a name of one of its concepts, that are written as this
        name is, and that have capitals where its preferred name has them.
        """
        view, texts = self.view, {m.text for m in self.mentions}
        named: Counter[str] = Counter()
        written: Counter[str] = Counter()
        styled: Counter[str] = Counter()
        for text in texts:
            names = [
                (view.taxa[row], view.names(row).written)
                for row, _, kind in view.reached(text)
                if kind <= _NEAR
            ]
            named.update({taxon for taxon, _ in names})
            written.update({taxon for taxon, all_names in names if text in all_names})
            styled.update({t for t, (first, *_) in names if _capitals(text) == _capitals(first)})
        size = len(texts)
        return {t: (named[t] / size, written[t] / size, styled[t] / size) for t in named}

    def _taught(self, mention: Mention, own_keys: Iterable[str]) -> _Taught:
        counts = self.memory.counts
        keys = [key for key in own_keys if counts.get(key)]
        within = not keys
        if within:
            # The first name within the mention that documents link.
            keys = [key for key in shorter_keys(mention.text) if counts.get(key)][:1]
        rows: Counter[int] = Counter()
        for key in keys:
            for concept_id, count in counts[key].items():
                row = self.view.row_of(concept_id)
                if row is not None:
                    rows[row] += count
        symbols: Counter[str] = Counter()
        for row, count in rows.items():
            symbols[self.view.names(row).normalised[0]] += count
        return _Taught(rows, symbols, within)

    def _found(self, mention: Mention, taught: _Taught) -> dict[int, _Reached]:
        """The concepts to which the spellings and training documents lead, by row."""
        view = self.view
        found = {row: _Reached(name_id, kind) for row, name_id, kind in view.reached(mention.text)}
        for row, name_id, kind in view.reached(mention.long_form) if mention.long_form else ():
            reached = found.setdefault(row, _Reached(name_id))
            reached.long_kind = kind
            if kind < reached.kind:
                reached.name_id = name_id
        for row in taught.rows:
            first = view.first_name(row)
            if row not in found and first is not None:
                found[row] = _Reached(first)
        # Genes of other species have the same symbol, even if their synonyms are not listed.
        for row, reached in list(found.items()):
            for other, name_id in view.namesakes(row):
                if other not in found:
                    found[other] = _Reached(name_id, through=reached.best)
        if len(found) > _MOST:

            def merit(row: int) -> tuple[float, ...]:
                return -taught.rows[row], found[row].best, -view.name_counts[row], row

            found = {row: found[row] for row in sorted(found, key=merit)[:_MOST]}
        return found

    def _anywhere(self, mention: Mention) -> MentionCandidates:
        """The candidates of a mention without the features of species, which its place decides."""
        known = mention.text, mention.long_form
        if known not in self._known:
            self._known[known] = self._new(mention)
        return self._known[known]

    def _new(self, mention: Mention) -> MentionCandidates:
        own_keys = {key_of(mention.text), key_of(mention.long_form or mention.text)}
        taught = self._taught(mention, own_keys)
        found = self._found(mention, taught)
        own_words = describing_words(f"{mention.text} {mention.long_form or ''}")
        others = {key: count for key, count in self.keys.items() if key not in own_keys}
        in_taxon = Counter((self.view.taxa[row], reached.best) for row, reached in found.items())
        features = np.zeros((len(found), len(FEATURES)))
        for i, (row, reached) in enumerate(found.items()):
            values = self._by_name(mention, row, reached, taught)
            names = self.view.names(row)
            values["owners"] = math.log(in_taxon[self.view.taxa[row], reached.best])
            shared = sum(count for key, count in others.items() if key in names.keys)
            values["coherent"] = math.log1p(shared)
            values["context"] = math.log1p(len((names.words - own_words) & self.words))
            for name, value in values.items():
                features[i, _COLUMN[name]] = value
        exact = any(0 in (reached.kind, reached.long_kind) for reached in found.values())
        nil = dict.fromkeys(NIL_FEATURES, 0.0)
        nil["always"] = 1.0
        nil["no_exact"], nil["no_candidate"] = float(not exact), float(not found)
        nil["short"], nil["unannotated"] = float(len(mention.text) < 4), float(taught.within)
        return MentionCandidates(
            np.array(list(found), dtype=np.int64),
            np.array([reached.name_id for reached in found.values()], dtype=np.int64),
            features,
            np.array(list(nil.values())),
            ("",) * len(found),
        )

    def _of_mention(
        self, mention: Mention, evidence: Mapping[str, Mapping[str, float]]
    ) -> MentionCandidates:
        found = self._anywhere(mention)
        if not self.order:
            return found
        features = found.features.copy()
        taxa = [self.view.taxa[int(row)] for row in found.rows]
        place_of = {"": ""}
        like = np.any(features[:, _LIKE], axis=1)
        direct = next((taxon for taxon, places in evidence.items() if "direct" in places), None)
        for taxon in set(taxa) - {""}:
            values, place_of[taxon] = self._by_taxon(mention, taxon, evidence)
            here = np.array([other == taxon for other in taxa])
            for name, value in values.items():
                features[here, _COLUMN[name]] = value
            if "taxon_alone" in values:
                features[here, _COLUMN["symbol_alone"]] = features[here, _COLUMN["symbol"]]
            if taxon == direct and like[here].any():
                others = np.array([other not in ("", taxon) for other in taxa])
                features[others, _COLUMN["taxon_against"]] = 1.0
        nil = found.nil.copy()
        nil[-_FOREIGN:] = self._foreign(evidence)
        places = tuple(place_of[taxon] for taxon in taxa)
        return replace(found, features=features, nil=nil, places=places)

    def _foreign(self, evidence: Mapping[str, Mapping[str, float]]) -> list[bool]:
        """The last of :data:`NIL_FEATURES`, about species of which the base has no gene.

        They say whether one is named directly beside the mention, whether one is named near it,
        whether one is the only species in its sentence, and whether the document names no others.
        """
        named = [taxon for taxon, places in evidence.items() if "share" in places]
        foreign = [taxon for taxon in named if taxon not in self.view.all_taxa]
        places = ("direct", "beside", "alone")
        here = [any(place in evidence[t] for t in foreign) for place in places]
        return [*here, bool(foreign) and len(foreign) == len(named)]

    def _by_name(
        self, mention: Mention, row: int, reached: _Reached, taught: _Taught
    ) -> dict[str, float]:
        """The features of a concept that do not depend on the context."""
        view = self.view
        names = view.names(row)
        values: dict[str, float] = {}
        if reached.kind < _NONE:
            values[KINDS[reached.kind]] = 1.0
        if reached.long_kind < _NONE:
            values["long_exact" if reached.long_kind == 0 else "long_other"] = 1.0
        if min(reached.kind, reached.long_kind) < _NONE:
            name = view.kb.name_at(reached.name_id)
            position = names.normalised.index(name) if name in names.normalised else 0
            values["preferred"] = float(position == 0)
            values["position"] = math.log1p(position)
        else:
            values["ortholog"] = 1.0
            values["ortholog_near"] = float(reached.through <= _NEAR)
        values["written"] = float(mention.text in names.written)
        values["cased"] = float(cased_key(mention.text) in names.cased)
        count, of_symbol = taught.rows[row], taught.symbols[names.normalised[0]]
        if taught.rows and taught.within:
            values["within_annotated"] = math.log1p(of_symbol)
            values["within_share"] = of_symbol / taught.symbols.total()
        elif taught.rows:
            values["annotated"] = math.log1p(count)
            values["symbol_annotated"] = math.log1p(of_symbol)
            values["annotated_share"] = count / taught.rows.total()
            values["symbol_share"] = of_symbol / taught.symbols.total()
        values["popular"] = math.log1p(self.memory.popular[view.kb.id_at(row)])
        values["names"] = math.log(view.name_counts[row])
        said = roles_in(f"{mention.text} {mention.long_form or ''}")
        values["role_missing"] = float(len(said - names.roles))
        if self.order:
            values["symbol"] = float(mention.text == names.written[0])
        if self.order and view.taxa[row] and any(map(str.isupper, mention.text)):
            values["capitals"] = float(_capitals(mention.text) == _capitals(names.written[0]))
        return values

    def _by_taxon(
        self, mention: Mention, taxon: str, evidence: Mapping[str, Mapping[str, float]]
    ) -> tuple[dict[str, float], str]:
        """The features of the genes of a species, and the strongest evidence for it."""
        places = dict(evidence.get(taxon, {}))
        direct = places.pop("direct", None)
        values = {f"taxon_{place}": strength for place, strength in places.items()}
        place = "beside" if direct else next((p for p in PLACES if p in places), "")
        likely = self.taxa.likelihoods
        values["taxon_words"] = max(likely.get(taxon, _LEAST), _LEAST) if likely else 0.0
        fit = self.fits.get(taxon, (0.0, 0.0, 0.0))
        values["taxon_fit"], values["taxon_written"], values["taxon_style"] = fit
        rank = self.order.index(taxon) if taxon in self.order else len(self.order)
        values["taxon_order"] = -math.log1p(rank)
        if not evidence:
            place = "unsaid"
            values["taxon_unsaid"] = float(rank == 0)
        elif not place:
            values["taxon_other"] = 1.0
        if letter := _LETTER.match(mention.text):
            values["taxon_letter"] = float(_LETTERS[letter[1]] == taxon)
        return values, place


def _capitals(name: str) -> str:
    """The pattern of capitals: ``A`` for capitals only, ``Aa`` for the first only, and so on."""
    letters = [c for c in name if c.isalpha()]
    if not letters:
        return ""
    if all(map(str.isupper, letters)):
        return "A"
    if letters[0].isupper() and not any(map(str.isupper, letters[1:])):
        return "Aa"
    return "a" if not any(map(str.isupper, letters)) else "aA"
