"""Systems to which a linker is compared: exact match, TF-IDF, and predictions of other systems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from biolink.documents import Document, Link
from biolink.errors import ConfigError
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.kb import KnowledgeBase
from biolink.kb.lexical import lexical_index

__all__ = [
    "by_names",
    "exact",
    "linked_as_written",
    "need_common",
    "predicted",
    "tfidf",
    "with_own_ids",
]

#: A function from mentions and a knowledge base to the best name ids of each mention.
Chooser = Callable[[Sequence[str], KnowledgeBase], list[list[int]]]

#: The number of names that TF-IDF returns for a mention.
_NAMES = 20


def exact(mentions: Sequence[str], kb: KnowledgeBase) -> list[list[int]]:
    """Return the name that equals the mention after normalisation, if there is one."""
    name_ids = (kb.name_id(mention) for mention in mentions)
    return [[] if name_id is None else [name_id] for name_id in name_ids]


def tfidf(mentions: Sequence[str], kb: KnowledgeBase) -> list[list[int]]:
    """Return the names with the most similar character trigrams."""
    return [ids.tolist() for ids, _ in lexical_index(kb)[0].search(mentions, _NAMES)]


def by_names(
    documents: Iterable[Document], linker: Linker | KindsLinker, choose: Chooser
) -> list[Document]:
    """Link gold mentions through the names that ``choose`` returns for them.

    The owners of a name are ranked by the homonym policy of a :class:`biolink.Linker`, and are in
    the order of :meth:`biolink.KnowledgeBase.owners` for kinds that it does not link. Abbreviations
    are expanded, as they are for the linker.
    """
    documents = [expand_document(document, find_abbreviations) for document in documents]
    bases = linker.bases
    texts: dict[KnowledgeBase, dict[str, list[int]]] = {base: {} for base in bases.bases}
    for document in documents:
        for mention in document.mentions:
            texts[bases.of_mention(mention.type)][mention.long_form or mention.text] = []
    best = {
        base: dict(zip(of_base, choose(list(of_base), base), strict=True))
        for base, of_base in texts.items()
        if of_base
    }
    main = linker.main if isinstance(linker, KindsLinker) else linker
    linked = []
    for document in documents:
        mentions = []
        for mention in document.mentions:
            links: dict[str, Link] = {}
            kb = bases.of_mention(mention.type)
            for name_id in best[kb][mention.long_form or mention.text]:
                rows = (
                    main.scope.owners(name_id, mention.type)
                    if kb is main.kb
                    else kb.owners(name_id)
                )
                ids = [kb.id_at(row) for row in rows]
                name = kb.name_at(name_id)
                if ids and ids[0] not in links:
                    rank = len(links) + 1
                    links[ids[0]] = Link(ids[0], name, 0.0, 0.0, rank, len(ids) > 1, tuple(ids[1:]))
            mentions.append(replace(mention, links=tuple(links.values())))
        linked.append(document.with_mentions(mentions))
    return linked


def linked_as_written(document: Document) -> Document:
    """Return another system's document with the ids of each mention as its links, best first."""
    return document.with_mentions(
        mention
        if mention.links
        else replace(
            mention,
            links=tuple(
                Link(concept_id, concept_id, 0.0, 0.0, rank)
                for rank, concept_id in enumerate(mention.concept_ids, 1)
            ),
        )
        for mention in document.mentions
    )


def with_own_ids(documents: Iterable[Document], what: str) -> Iterator[Document]:
    """Pass on documents that are matched by their ids.

    Parameters
    ----------
    documents
        The documents.
    what
        What they are, for the message.

    Raises
    ------
    ConfigError
        When two documents with different texts have the same id.
    """
    texts: dict[str, str] = {}
    for document in documents:
        if texts.setdefault(document.id, document.text) != document.text:
            raise ConfigError(
                f"two {what} documents with different texts have the id {document.id!r}; expected "
                "an id of its own for each, since predictions are matched with documents by id"
            )
        yield document


def need_common(gold: Iterable[Document], predictions: Iterable[Document], what: str) -> None:
    """Raise an error if no document is both among the gold and among the predicted ones.

    Parameters
    ----------
    gold, predictions
        The documents, which are matched by their ids.
    what
        What the predictions are, for the message.

    Raises
    ------
    ConfigError
        When no id is the same.
    """
    ids = {document.id for document in gold}
    if ids.isdisjoint(document.id for document in predictions):
        raise ConfigError(
            f"{what}: no document has the id of an annotated document; expected predictions for "
            "the annotated documents"
        )


def predicted(gold: Iterable[Document], predictions: Iterable[Document]) -> Iterator[Document]:
    """Yield the gold documents with the links that another system predicts for their mentions.

    Mentions are matched by document id and offsets. Ids stay as the system writes them.

    Parameters
    ----------
    gold
        The gold documents.
    predictions
        The system's documents. The ids of a mention are its concepts, best first; a gold mention
        that is missing here is NIL.

    Raises
    ------
    ConfigError
        When two documents with different texts have the same id.
    """
    ids_at = {
        (document.id, mention.start, mention.end): list(mention.concept_ids)
        or [link.concept_id for link in mention.links]
        for document in with_own_ids(predictions, "predicted")
        for mention in document.mentions
    }
    for document in with_own_ids(gold, "annotated"):
        yield document.with_mentions(
            replace(
                mention,
                links=tuple(
                    Link(concept_id, concept_id, 0.0, 0.0, rank)
                    for rank, concept_id in enumerate(
                        ids_at.get((document.id, mention.start, mention.end), ()), 1
                    )
                ),
            )
            for mention in document.mentions
        )
