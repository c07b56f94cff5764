"""Accuracy of links compared with gold concepts.

The ``strict`` measure looks at one concept, that of the best link. If a mention has several gold
ids, each of them is right; if they are joined by ``+``, they are meant only together and no single
concept is right. The ``lenient`` measure counts a mention as right when any concept that has the
name of the best link is right (as GenBioEL and BioSyn do). Mentions without a gold id do not count,
and neither do variants, unless the knowledge base has some: nothing could be right.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from biolink.documents import Document, each_document
from biolink.errors import ConfigError, shown
from biolink.evaluation.cases import Case, case_of, known_id, warn_of_other_base
from biolink.evaluation.choosing import without_base
from biolink.evaluation.distances import distances_to_gold
from biolink.evaluation.slices import Known
from biolink.evaluation.statistics import interval, mean, resampled
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import is_whole, need, need_text
from biolink.kb.bases import KnowledgeBases, base_of, need_base
from biolink.kb.wording import counted

__all__ = ["Report", "Scores", "Slice", "evaluate", "resampled_means"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of mentions, from 0 to 1.

    Attributes
    ----------
    recall_at_1, recall_at_5
        Share of mentions whose best link is right, or that have a right link among the five best.
    interval
        95 % interval of ``recall_at_1``, by a bootstrap over documents.
    """

    recall_at_1: float
    recall_at_5: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slice:
    """Scores of the mentions that have one property in common.

    Attributes
    ----------
    mentions
        Number of mentions.
    in_kb
        Number of mentions that have a gold concept in the knowledge base.
    strict, lenient
        Recall@1 over all mentions.
    interval
        95 % interval of ``strict``, by a bootstrap over documents.
    strict_in_kb
        Strict Recall@1 over the mentions that have a gold concept in the knowledge base.
    lenient_interval
        95 % interval of ``lenient``; None in a report that an earlier version wrote.
    """

    mentions: int
    in_kb: int
    strict: float
    lenient: float
    interval: tuple[float, float]
    strict_in_kb: float
    lenient_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Result of :func:`evaluate`.

    Attributes
    ----------
    documents, mentions
        Number of documents and of counted mentions.
    in_kb
        Number of mentions that have a gold concept in the knowledge base; None if no knowledge base
        was given.
    nil
        Number of mentions without a link.
    strict, lenient
        Scores over all counted mentions.
    strict_in_kb, lenient_in_kb
        Scores over the mentions that have a gold concept in the knowledge base.
    ceiling
        Share of mentions that have a right link at any rank, which is the strict Recall@1 of a
        perfect ranking of the links.
    by_type
        Mention type -> strict Recall@1.
    slices
        Dimension -> value -> :class:`Slice`.
    protocol
        ``strict``: the knowledge base as it is. ``biosyn``: the mentions of training and
        development documents were added to it as names (BioSyn's preprocessing).
    provenance
        What was measured and with what, as the caller gave it.
    distances
        Distance to the gold in the hierarchy of the knowledge base -> number of wrong links
        (:func:`biolink.evaluation.distances.distances_to_gold`); None without a hierarchy.
    without_base
        Number of mentions with a gold id that are not counted, because they are of a kind for which
        there is no knowledge base (variants).
    cases
        Every counted mention, in order.
    """

    documents: int
    mentions: int
    in_kb: int | None
    nil: int
    strict: Scores
    lenient: Scores
    strict_in_kb: Scores | None
    lenient_in_kb: Scores | None
    ceiling: float
    by_type: dict[str, float]
    slices: dict[str, dict[str, Slice]]
    protocol: str = "strict"
    provenance: dict[str, Any] = field(default_factory=dict)
    distances: dict[str, int] | None = None
    without_base: int = 0
    cases: tuple[Case, ...] = field(default=(), repr=False)

    @property
    def errors(self) -> list[Case]:
        """The mentions whose best link is not right by the strict measure."""
        return [case for case in self.cases if not case.strict]

    def to_json(self) -> str:
        """Return the report as a JSON object, with all cases."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            When the text is something else.
        """
        values = json.loads(text)

        def scores(value: dict[str, Any] | None) -> Scores | None:
            return None if value is None else Scores(**value | {"interval": (*value["interval"],)})

        def slice_of(value: dict[str, Any]) -> Slice:
            lenient = value.get("lenient_interval")
            intervals = {
                "interval": (*value["interval"],),
                "lenient_interval": None if lenient is None else (*lenient,),
            }
            return Slice(**value | intervals)

        for name in ("strict", "lenient", "strict_in_kb", "lenient_in_kb"):
            values[name] = scores(values[name])
        values["slices"] = {
            dimension: {value: slice_of(scores_of) for value, scores_of in of_dimension.items()}
            for dimension, of_dimension in values["slices"].items()
        }
        values["cases"] = tuple(
            Case(
                **case
                | {
                    "gold": (*case["gold"],),
                    "links": tuple((i, name, p) for i, name, p in case["links"]),
                    "slices": tuple((d, v) for d, v in case["slices"]),
                }
            )
            for case in values["cases"]
        )
        return cls(**values)


def evaluate(
    documents: Document | Iterable[Document],
    kb: KnowledgeBase | KnowledgeBases | None = None,
    seed: int = 0,
    *,
    training: Iterable[Document] = (),
    protocol: str = "strict",
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Compare links with gold concepts.

    Parameters
    ----------
    documents
        Linked documents whose mentions have ``concept_ids``.
    kb
        The knowledge base of the linker, ``linker.kb``, or the knowledge bases of a linker of
        several kinds of entities, ``linker.bases``. It resolves alternative ids and says which gold
        concepts it has. Without it ids are compared as they are written, and a warning says so when
        there are misses.
    seed
        Seed of the bootstrap.
    training
        The documents on which the linker was trained; the report then has slices of mentions and
        concepts that were seen in training or not.
    protocol, provenance
        Values for the report; see :class:`Report`.

    Examples
    --------
    >>> import biolink
    >>> gold = biolink.Mention(0, 7, "Aspirin", "Chemical", concept_ids=("MESH:D001241",))
    >>> linker = biolink.load()
    >>> document = linker(biolink.Document("1", "Aspirin helps.", mentions=(gold,)))
    >>> report = biolink.evaluate(document, linker.kb)
    >>> report.mentions, report.strict.recall_at_1
    (1, 1.0)

    Raises
    ------
    ConfigError
        When an argument is not valid, or there is nothing to compare: no document, or no mention
        with a gold id.
    """
    documents = each_document(documents, "evaluate")
    _check_arguments(kb, seed, protocol, provenance)
    # Long because each figure of the report is one line.
    known = Known.of(each_document(training, "training"))
    named = cache(lambda concept_id, kind: known_id(concept_id, base_of(kb, kind)))
    cases: list[Case] = []
    numbers: list[int] = []
    lenient5: list[bool] = []
    strict5: list[bool] = []
    nil: list[bool] = []
    count = without = 0
    linked = False
    for number, (name, document) in enumerate(_told_apart(documents)):
        count += 1
        for mention in document.mentions:
            if mention.concept_ids and without_base(mention.type, kb):
                without += 1
            elif mention.concept_ids:
                base = base_of(kb, mention.type)
                case, at_5 = case_of(name, mention, base, known, partial(named, kind=mention.type))
                cases.append(case)
                numbers.append(number)
                strict5.append(at_5[0])
                lenient5.append(at_5[1])
                nil.append(not mention.links)
                linked = linked or bool(mention.links) or mention.nil_reason is not None
    _tell_what_is_odd(count, cases, without, kb is None, linked)
    warn_of_other_base([case.in_kb for case in cases])
    owners = np.array(numbers, dtype=int)
    held = np.array([case.in_kb for case in cases], dtype=bool)
    strict1 = np.array([case.strict for case in cases], dtype=bool)
    lenient1 = np.array([case.lenient for case in cases], dtype=bool)
    every = np.ones(len(cases), dtype=bool)

    def scores(at_1: np.ndarray, at_5: Sequence[bool], where: np.ndarray) -> Scores:
        five = np.array(at_5, dtype=bool)
        return Scores(
            mean(at_1[where]), mean(five[where]), _interval(at_1[where], owners[where], seed)
        )

    best = ((case.type, case.links[0][0], case.gold) for case in cases if case.links)
    slices = _slices(cases, owners, seed)
    return Report(
        documents=count,
        mentions=len(cases),
        in_kb=None if kb is None else int(held.sum()),
        nil=sum(nil),
        strict=scores(strict1, strict5, every),
        lenient=scores(lenient1, lenient5, every),
        strict_in_kb=None if kb is None else scores(strict1, strict5, held),
        lenient_in_kb=None if kb is None else scores(lenient1, lenient5, held),
        ceiling=mean([case.rank is not None for case in cases]),
        by_type={value: of_type.strict for value, of_type in slices.get("type", {}).items()},
        slices=slices,
        protocol=protocol,
        provenance=provenance or {},
        distances=distances_to_gold(
            (one for one in best if one[1] not in one[2]), kb, {case.type for case in cases}
        ),
        without_base=without,
        cases=tuple(cases),
    )


def _told_apart(documents: Iterable[Document]) -> Iterator[tuple[str, Document]]:
    """Yield each document after its id, to which its number is added if it is not the first."""
    of_id: Counter[str] = Counter()
    for document in documents:
        of_id[document.id] += 1
        number = of_id[document.id]
        yield document.id if number == 1 else f"{document.id}#{number}", document


def _check_arguments(kb: object, seed: object, protocol: object, provenance: object) -> None:
    need_base(kb, optional=True)
    if not is_whole(seed) or seed < 0:  # type: ignore[operator]
        raise ConfigError(f"seed is {shown(seed)}; expected a whole number from 0")
    need_text("protocol", protocol)
    if provenance is not None:
        need("provenance", provenance, dict, "a dict")


def _slices(cases: list[Case], owners: np.ndarray, seed: int) -> dict[str, dict[str, Slice]]:
    """Dimension -> value -> scores of the cases that have the value."""
    members: dict[str, dict[str, list[int]]] = {}
    for number, case in enumerate(cases):
        for dimension, value in case.slices:
            members.setdefault(dimension, {}).setdefault(value, []).append(number)

    def figures(numbers: list[int]) -> Slice:
        chosen = [cases[number] for number in numbers]
        strict = np.array([case.strict for case in chosen], dtype=bool)
        lenient = np.array([case.lenient for case in chosen], dtype=bool)
        held = np.array([case.in_kb for case in chosen], dtype=bool)
        return Slice(
            len(chosen),
            int(held.sum()),
            mean(strict),
            mean(lenient),
            _interval(strict, owners[numbers], seed),
            mean(strict[held]),
            _interval(lenient, owners[numbers], seed),
        )

    return {
        dimension: {value: figures(numbers) for value, numbers in sorted(values.items())}
        for dimension, values in members.items()
    }


def _tell_what_is_odd(
    count: int, cases: list[Case], without: int, as_written: bool, linked: bool
) -> None:
    """Raise an error when there is nothing to compare, and warn of scores that can mislead.

    Parameters
    ----------
    count
        Number of documents.
    without
        Number of mentions of kinds without a knowledge base.
    as_written
        Whether ids are compared as they are written, for lack of a knowledge base.
    linked
        Whether any mention has links, or a reason why it has none.
    """
    if not cases and without:
        raise ConfigError(
            f"evaluate was given {counted(without, 'mention')} with a gold id, all of kinds "
            "without a knowledge base (variants); expected mentions that can be linked"
        )
    if not cases:
        given = (
            f"{counted(count, 'document')} in which no mention has a gold id"
            if count
            else "no document"
        )
        raise ConfigError(
            f"evaluate was given {given}; expected annotated documents that were linked, "
            "linker.pipe(documents, recognise=False)"
        )
    if not linked:
        log.warning(
            "biolink: warning: none of the %d mentions was linked; evaluate takes the documents "
            "that linker.pipe(documents, recognise=False) returns",
            len(cases),
        )
    elif as_written and not all(case.strict for case in cases):
        log.warning(
            "biolink: warning: ids are compared as they are written, so alternative ids of a "
            "concept count as misses; evaluate(documents, linker.bases) resolves them"
        )


def _interval(values: np.ndarray, owners: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the mean over mentions, by a bootstrap over documents."""
    return interval(resampled_means(values, owners, seed)) if len(values) else (0.0, 0.0)


def resampled_means(values: np.ndarray, owners: np.ndarray, seed: int) -> np.ndarray:
    """Return means over mentions, for samples of documents drawn with replacement.

    Parameters
    ----------
    values, owners
        [mentions]: the value of each mention, and the number of its document.
    seed
        Seed of the samples.

    Returns
    -------
    float [resamples].
    """
    documents, numbers = np.unique(owners, return_inverse=True)
    sums = np.bincount(numbers, values.astype(float), len(documents))
    sizes = np.bincount(numbers, minlength=len(documents))
    of_values, of_sizes = resampled(np.stack([sums, sizes], 1), seed).T
    means: np.ndarray = of_values / of_sizes
    return means
