"""Samples for fine-tuning from annotated documents: mentions in their context with concepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.mentions.abbreviations import Finder, expand_document, find_abbreviations
from biolink.infer.rank.ranker import Annotations
from biolink.kb import KnowledgeBase, bare_id, normalise_name
from biolink.kb.prompt import PromptForm
from biolink.kb.reading import sources

__all__ = ["MentionSample", "annotation_counts", "mention_samples", "named_mentions", "no_gold"]


@dataclass(frozen=True, slots=True)
class MentionSample:
    """A mention with its gold concepts.

    Attributes
    ----------
    source, mention
        As in :class:`biolink.pretrain.kb_guided.Sample`, with abbreviations expanded.
    rows
        Rows of the gold concepts; empty if the knowledge base has none of them.
    type
        Type of the mention.
    document, start, end
        Id of the document, and offsets of the mention in it.
    """

    source: str
    mention: str
    rows: tuple[int, ...]
    type: str
    document: str
    start: int
    end: int


def mention_samples(
    documents: Iterable[Document],
    kb: KnowledgeBase,
    form: PromptForm,
    find: Finder | None,
    *,
    distinct: bool = False,
) -> list[MentionSample]:
    """Return samples for all mentions that have a gold id.

    Parameters
    ----------
    documents
        Annotated documents.
    kb
        Knowledge base of the rows.
    form
        Prompt form of the model.
    find
        Function that finds abbreviations, or None to leave mentions as they are.
    distinct
        Whether a mention that occurs again in a document with the same concepts is left out.
        Default: False.
    """
    samples: list[MentionSample] = []
    seen: set[tuple[str, str, tuple[int, ...]]] = set()
    for document in documents:
        if find is not None:
            document = expand_document(document, find)
        written_in = [(m.start, m.end, m.long_form or m.text) for m in document.mentions]
        read = sources(document.text, written_in, form)
        for mention, (source, _) in zip(document.mentions, read, strict=True):
            if not mention.concept_ids:
                continue
            known = (kb.row_of(i) for i in mention.concept_ids)
            rows = tuple(dict.fromkeys(row for row in known if row is not None))
            written = mention.long_form or mention.text
            key = (document.id, written.lower(), rows)
            if distinct and key in seen:
                continue
            seen.add(key)
            samples.append(
                MentionSample(
                    source,
                    written,
                    rows,
                    mention.type,
                    document.id,
                    mention.start,
                    mention.end,
                )
            )
    return samples


def no_gold(train: Sequence[Path]) -> ConfigError:
    """Return the error for training files without annotated concepts of the knowledge base."""
    files = [str(file) for file in train]
    return ConfigError(f"train = {files}; expected mentions with ids of the knowledge base")


def named_mentions(
    documents: Iterable[Document], find: Finder = find_abbreviations
) -> list[tuple[str, str]]:
    """Return (concept id, mention) pairs of gold mentions with one id, abbreviations expanded.

    The ``biosyn`` protocol adds these mentions to a knowledge base
    (:meth:`biolink.kb.KnowledgeBase.with_names`).
    """
    return [
        (mention.concept_ids[0], mention.long_form or mention.text)
        for document in documents
        for mention in expand_document(document, find).mentions
        if len(mention.concept_ids) == 1
    ]


def annotation_counts(
    documents: Iterable[Document], kb: KnowledgeBase, find: Finder = find_abbreviations
) -> Annotations:
    """Count how often documents link each mention to each concept, abbreviations expanded.

    A linking model keeps these counts for its training documents (``annotations.json``).
    """
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        for mention in expand_document(document, find).mentions:
            name = normalise_name(mention.long_form or mention.text)
            ids = {kb.resolve(i) or bare_id(i) for i in mention.concept_ids}
            counts.setdefault(name, Counter()).update(ids)
    return {name: dict(sorted(counts[name].items())) for name in sorted(counts) if counts[name]}
