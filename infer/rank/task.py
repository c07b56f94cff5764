"""What is linked, and how: the mention as the model reads it, and the options of the linker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.mentions.abbreviations import finder
from biolink.infer.mentions.hints import Hint, hints
from biolink.infer.network.model import LinkingModel
from biolink.infer.rank.beam_search import FAST, DecodingOptions
from biolink.kb.arguments import need, need_flag, need_natural
from biolink.kb.prompt import READINGS, PromptForm, Reading, source_text
from biolink.kb.reading import sources

__all__ = [
    "LinkerOptions",
    "Meaning",
    "Task",
    "batches",
    "reading_of",
    "sources_of",
    "tasks_of",
    "windows_of",
]


@dataclass(frozen=True, slots=True)
class LinkerOptions:
    """How a linker links.

    Attributes
    ----------
    method
        ``combined`` (the default): retrieve candidates by n-grams and embeddings, and rank them by
        generation, embeddings and n-grams together. ``generate``: beam search over all names.
        ``candidates``: retrieve names by n-grams, and rank them only by their generative score.
    top_k
        The most links that are kept for each mention. Default: 5.
    decoding
        How the beam search of ``generate`` runs. Default: ``FAST``.
    candidates
        The number of names that each retriever contributes. Default: 20.
    scored
        The most of these names that ``combined`` scores by generation. Default: 16.
    homonyms
        What to do with a generated name that several concepts own. This matters for ``generate``
        and ``candidates``; ``combined`` ranks every owner by its own features. ``rank`` (the
        default): take the first owner, ordered by preferred name before synonym, then by count in
        the training data, agreement with the mention's type, and id. ``all``: take every owner, in
        that order.
    match_types
        Link only to concepts whose semantic type agrees with that of the mention, if both are
        known. Default: False.
    abbreviations
        How abbreviations are expanded: ``schwartz-hearst``, ``scispacy``, ``auto`` or ``none``.
        Default: ``auto``.
    batch_size
        The number of mentions that are run together. Default: 32.
    names_first
        Used with ``generate``: link a mention that is a name after normalisation to the owners of
        that name, without the model and with probability 1. After them come the names that begin
        with the mention, shortest first; their probability is the share of their tokens that the
        mention makes up. The score is the logarithm of the probability. Default: False;
        ``benchmarks/results/decoding.md`` reports how this changes accuracy.
    reading
        How mentions are read in context: ``window``, ``document``, ``shared`` or ``staged`` (see
        :class:`biolink.kb.prompt.PromptForm`), or ``auto`` for the way in which the model was
        trained. Default: ``auto``.
    cascade
        Used with ``combined``: rank a mention without its context, or at least without generation,
        if its best concept then leads by far (see :class:`biolink.infer.rank.ranker.Stage`).
        Default: True; ``benchmarks/results/accuracy.md`` reports how this changes accuracy and
        speed.

    Raises
    ------
    ConfigError
        If a value is out of range or unknown, or if two values do not go together.

    Examples
    --------
    >>> LinkerOptions(top_k=3, match_types=True).method
    'combined'
    >>> LinkerOptions(names_first=True)
    Traceback (most recent call last):
    biolink.errors.ConfigError: names_first needs the method generate, not combined
    """

    method: Literal["combined", "generate", "candidates"] = "combined"
    top_k: int = 5
    decoding: DecodingOptions = FAST
    candidates: int = 20
    scored: int = 16
    homonyms: Literal["rank", "all"] = "rank"
    match_types: bool = False
    abbreviations: str = "auto"
    batch_size: int = 32
    names_first: bool = False
    reading: Literal["auto"] | Reading = "auto"
    cascade: bool = True

    def __post_init__(self) -> None:
        if self.method not in ("combined", "generate", "candidates"):
            raise ConfigError(
                f"method is {self.method!r}; expected combined, generate or candidates"
            )
        if self.homonyms not in ("rank", "all"):
            raise ConfigError(f"homonyms is {self.homonyms!r}; expected rank or all")
        if self.reading not in ("auto", *READINGS):
            raise ConfigError(
                f"reading is {self.reading!r}; expected auto, {' or '.join(READINGS)}"
            )
        for name in ("top_k", "candidates", "scored", "batch_size"):
            need_natural(name, getattr(self, name))
        for name in ("match_types", "names_first", "cascade"):
            need_flag(name, getattr(self, name))
        need("decoding", self.decoding, DecodingOptions, "DecodingOptions")
        finder(self.abbreviations)
        if self.names_first and self.method != "generate":
            raise ConfigError(f"names_first needs the method generate, not {self.method}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a mention says by itself, wherever it stands.

    Attributes
    ----------
    mention, type, hints
        See :class:`Task`.
    """

    mention: str
    type: str
    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A mention as the model reads it. Equal tasks are linked only once.

    Attributes
    ----------
    source
        The input of the encoder (see :func:`biolink.kb.reading.sources`).
    mention, type
        The mention with its abbreviations expanded, and its type.
    hints
        Other texts that tell what the mention may stand for.
    span
        The offsets of the mention in ``source``, in characters, or None if it is marked there.
    """

    source: str
    mention: str
    type: str
    hints: tuple[Hint, ...] = ()
    span: tuple[int, int] | None = None

    @property
    def meaning(self) -> Meaning:
        """The task without its context."""
        return Meaning(self.mention, self.type, self.hints)


def tasks_of(
    document: Document,
    model: LinkingModel,
    reading: Literal["auto"] | Reading = "auto",
    reworded: Callable[[str], str | None] | None = None,
) -> list[Task]:
    """The task of each mention of a document whose abbreviations are expanded already.

    Mentions with the same text, type and hints mean the same in a document, so they have the same
    task: that of the first of them.

    Parameters
    ----------
    document, model
        The document, and the model that reads it.
    reading
        See :class:`LinkerOptions`.
    reworded
        A function that gives a clearer wording of a mention, or None where it knows none. Default:
        None, for no such function.
    """
    ranker = model.ranker
    of_mentions = hints(document, ranker.abbreviations if ranker else {})
    texts = [mention.long_form or mention.text for mention in document.mentions]
    if reworded is not None:
        texts = [reworded(text) or text for text in texts]
    spans = [(mention.start, mention.end) for mention in document.mentions]
    written = [(*span, text) for span, text in zip(spans, texts, strict=True)]
    form = replace(model.form, reading=reading_of(model.form, reading))
    tasks: dict[Meaning, Task] = {}
    of_document = []
    for mention, of_mention, (_, _, text), (source, span) in zip(
        document.mentions,
        of_mentions,
        written,
        sources(document.text, written, form),
        strict=True,
    ):
        task = Task(source, text, mention.type, of_mention, span)
        tasks.setdefault(task.meaning, task)
        of_document.append(tasks[task.meaning])
    return of_document


def reading_of(form: PromptForm, reading: Literal["auto"] | Reading) -> Reading:
    """How mentions are read by a model with this form."""
    return form.reading if reading == "auto" else reading


def sources_of(tasks: Sequence[Task]) -> tuple[list[str], list[tuple[int, int] | None]]:
    """The arguments of :meth:`biolink.infer.network.model.LinkingModel.read` for tasks."""
    return [task.source for task in tasks], [task.span for task in tasks]


def windows_of(tasks: Sequence[Task], form: PromptForm) -> list[str]:
    """What the linking model's encoder reads of tasks whose source is a whole text: windows."""
    return [
        source_text(task.source, *task.span, form, task.mention)
        for task in tasks
        if task.span is not None
    ]


def batches(tasks: Sequence[Task], size: int) -> Iterator[list[int]]:
    """Group tasks of similar length into batches; the batches are lists of their indices."""
    order = sorted(range(len(tasks)), key=lambda i: len(tasks[i].source))
    for begin in range(0, len(order), size):
        yield order[begin : begin + size]
