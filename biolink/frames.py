"""Documents as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from biolink.documents import Document, Link, Mention, each_document
from biolink.errors import MissingDependencyError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["to_dataframe"]

_COLUMNS = (
    *("document", "start", "end", "mention", "type", "gold_ids"),
    *("rank", "concept_id", "curie", "preferred_name", "name", "probability", "score"),
    *("nil_reason", "long_form", "assertions"),
)


def to_dataframe(documents: Document | Iterable[Document], all_links: bool = False) -> DataFrame:
    """Return a pandas table with a row for each mention, or for each of its links.

    Parameters
    ----------
    documents
        One document or several.
    all_links
        Whether each link of a mention has a row, not only the best. A mention without links has
        one row in either case.

    Raises
    ------
    MissingDependencyError
        When pandas is not installed.

    Examples
    --------
    >>> from biolink import Document, Mention
    >>> mention = Mention(0, 6, "Asthma", "Disease", nil_reason="no candidate")
    >>> table = to_dataframe(Document("1", "Asthma.", mentions=(mention,)))
    >>> table.loc[0, "mention"], table.loc[0, "nil_reason"]
    ('Asthma', 'no candidate')
    """
    try:
        from pandas import DataFrame
    except ImportError:
        raise MissingDependencyError("pandas", "to_dataframe") from None
    rows = [
        _row(document, mention, link)
        for document in each_document(documents, "to_dataframe")
        for mention in document.mentions
        for link in (mention.links[: None if all_links else 1] or (None,))
    ]
    return DataFrame(rows, columns=list(_COLUMNS))


def _row(document: Document, mention: Mention, link: Link | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "document": document.id,
        "start": mention.start,
        "end": mention.end,
        "mention": mention.text,
        "type": mention.type,
        "gold_ids": mention.id_joiner.join(mention.concept_ids),
        "nil_reason": mention.nil_reason,
        "long_form": mention.long_form,
        "assertions": " ".join(mention.assertions),
    }
    if link is not None:
        row |= {
            "rank": link.rank,
            "concept_id": link.concept_id,
            "curie": link.curie or link.concept_id,
            "preferred_name": link.preferred_name or link.name,
            "name": link.name,
            "probability": link.probability,
            "score": link.score,
        }
    return row
