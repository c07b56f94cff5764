"""Fine-tuning samples from annotated documents: the mention in context and the name to generate.

Source: GenBioEL (NAACL 2022), section 3.2: the target is the synonym of the gold concept that is
most similar to the mention (cosine of character 3-gram TF-IDF).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from biolink.documents import Document
from biolink.infer.abbreviations import Finder, expand_document
from biolink.kb import KnowledgeBase, normalise_name
from biolink.kb.lexical import LexicalIndex
from biolink.kb.prompt import PromptForm, source_text

__all__ = ["MentionSample", "closest_name", "mention_samples", "near_misses"]


@dataclass(frozen=True, slots=True)
class MentionSample:
    """A mention with its gold concepts.

    Attributes
    ----------
    source, mention
        As in :class:`biolink.pretrain.kb_guided.Sample`; abbreviations are written out.
    rows
        Rows of the gold concepts; empty when the knowledge base has none of them.
    type
        Type of the mention.
    document, start, end
        Where it stands.
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
    """Samples of all mentions that have a gold id.

    Parameters
    ----------
    documents
        With gold mentions.
    kb
        Decides the rows.
    form
        Prompt form.
    find
        Abbreviation finder, or None to leave mentions as they are.
    distinct
        One sample per document, mention and gold; repeats teach nothing new.
    """
    samples: list[MentionSample] = []
    seen: set[tuple[str, str, tuple[int, ...]]] = set()
    for document in documents:
        if find is not None:
            document = expand_document(document, find)
        for mention in document.mentions:
            if not mention.concept_ids:
                continue
            found = (kb.row_of(i) for i in mention.concept_ids)
            rows = tuple(dict.fromkeys(row for row in found if row is not None))
            written = mention.long_form or mention.text
            key = (document.id, written.lower(), rows)
            if distinct and key in seen:
                continue
            seen.add(key)
            samples.append(
                MentionSample(
                    source_text(document.text, mention.start, mention.end, form, written),
                    written,
                    rows,
                    mention.type,
                    document.id,
                    mention.start,
                    mention.end,
                )
            )
    return samples


def closest_name(
    mention: str, rows: Sequence[int], kb: KnowledgeBase, index: LexicalIndex
) -> tuple[str, int]:
    """The name of the gold concepts most similar to the mention, and its concept's row."""
    names = [(name, row) for row in rows for name in kb.concept_at(row).names]
    names = [(name, row) for name, row in names if normalise_name(name)] or names
    vectors = index.vectors([mention, *(name for name, _ in names)])
    cosines = (vectors[1:] @ vectors[0].T).toarray()[:, 0]
    return names[int(np.argmax(cosines))]


def near_misses(
    mentions: Sequence[str],
    rows: Sequence[Sequence[int]],
    kb: KnowledgeBase,
    index: LexicalIndex,
    k: int,
    batch: int = 512,
) -> list[list[int]]:
    """Name ids most similar to each mention that none of its gold concepts owns, best first."""
    result = []
    for begin in range(0, len(mentions), batch):
        found = index.search(mentions[begin : begin + batch], 3 * k)
        for (ids, _), gold in zip(found, rows[begin : begin + batch], strict=True):
            wrong = [int(i) for i in ids if not set(kb.owners(int(i))) & set(gold)]
            result.append(wrong[:k])
    return result
