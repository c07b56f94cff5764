"""Acts: what somebody decided about one mention, and their form in a file.

A mention is named by its number: its position among the mentions of the document as it was linked,
from 0. Mentions that are added have the numbers after these, in the order in which they are added.
A number is never given again, not even after the mention is removed.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

from biolink.documents import check_text
from biolink.errors import DocumentError, shown
from biolink.kb.wording import json_kind

__all__ = ["ACTS", "Act", "Meaning", "act_from_dict", "act_to_dict"]

#: Name of an act -> what it does.
ACTS = {
    "accept": "says that the mention is linked as it should be",
    "choose": "gives the mention other concepts, of its candidates or searched",
    "nil": "says that the mention means no concept of the knowledge base",
    "span": "changes where the mention begins and ends",
    "add": "adds a mention",
    "remove": "says that the mention is none",
    "undo": "takes back the last act on the document that was not taken back yet",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A concept that a mention means.

    Attributes
    ----------
    id
        Its id in the knowledge base, without a prefix.
    curie
        The id with its prefix, or "".
    name
        Its preferred name, or "".
    """

    id: str
    curie: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "curie", "name"):
            check_text(getattr(self, name), f"the {name} of a concept")
        if not self.id:
            raise DocumentError("the id of a concept is empty")


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody decided about a mention.

    Attributes
    ----------
    act
        One of :data:`ACTS`.
    document
        The id of the document.
    mention
        The number of the mention, or None for ``undo``.
    start, end, text
        Where the mention is after the act, in code points, and what it says; None and "" for
        ``undo``.
    type
        The semantic type of the mention after the act, or "".
    concepts
        What the mention means by this act (``accept``, ``choose``). An ``accept`` without concepts
        says that NIL is right.
    joiner
        How several concepts belong together, as ``id_joiner`` of :class:`biolink.Mention`.
    source
        Where a chosen concept comes from: ``candidate``, ``search``, or the name of another tool.
    at
        When it was decided, in the form of ISO 8601, or "".

    Examples
    --------
    >>> act = Act("choose", "1", 0, 0, 5, "Fever", concepts=(Meaning("D005334", "mesh:D005334"),))
    >>> act.concepts[0].curie
    'mesh:D005334'

    Raises
    ------
    DocumentError
        If a value has a wrong type, or the act lacks what it needs.
    """

    act: str
    document: str
    mention: int | None = None
    start: int | None = None
    end: int | None = None
    text: str = ""
    type: str = ""
    concepts: tuple[Meaning, ...] = ()
    joiner: str = "|"
    source: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise DocumentError(f"the act is {shown(self.act)}; expected one of {', '.join(ACTS)}")
        for name in ("document", "text", "type", "joiner", "source", "at"):
            check_text(getattr(self, name), f"the {name} of an act")
        if self.act == "undo":
            return
        for name in ("mention", "start", "end"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise DocumentError(
                    f'the {name} of an act "{self.act}" is {shown(value)}; expected a whole number '
                    "from 0"
                )
        if self.act == "choose" and not self.concepts:
            raise DocumentError('an act "choose" has no concepts; expected one at least')
        if self.concepts and self.act not in ("accept", "choose"):
            raise DocumentError(f'an act "{self.act}" has concepts, which it cannot have')


_DEFAULTS = {f.name: f.default for f in fields(Act) if f.default is not MISSING}


def act_to_dict(act: Act) -> dict[str, Any]:
    """Return an act as JSON holds it, without fields at their defaults.

    >>> act_to_dict(Act("undo", "1"))
    {'act': 'undo', 'document': '1'}
    """
    record = {
        field.name: getattr(act, field.name)
        for field in fields(Act)
        if field.name not in _DEFAULTS or getattr(act, field.name) != _DEFAULTS[field.name]
    }
    if act.concepts:
        record["concepts"] = [
            {key: getattr(concept, key) for key in ("id", "curie", "name") if getattr(concept, key)}
            for concept in act.concepts
        ]
    return record


def act_from_dict(record: Any) -> Act:
    """Make an act of the object that :func:`act_to_dict` returned.

    Raises
    ------
    DocumentError
        If it is none; the message says what is wrong.
    """
    if not isinstance(record, dict):
        raise DocumentError(f"an act is {json_kind(record)}, not an object")
    unknown = record.keys() - {field.name for field in fields(Act)}
    if unknown:
        raise DocumentError(f'an act has the unknown key "{min(unknown)}"')
    for key in ("act", "document"):
        if key not in record:
            raise DocumentError(f'an act has no "{key}"')
    concepts = record.get("concepts", [])
    if not isinstance(concepts, list):
        raise DocumentError(f'the "concepts" of an act are {json_kind(concepts)}, not a list')
    return Act(**{**record, "concepts": tuple(map(_meaning, concepts))})


def _meaning(record: Any) -> Meaning:
    if not isinstance(record, dict):
        raise DocumentError(f"a concept is {json_kind(record)}, not an object")
    unknown = record.keys() - {"id", "curie", "name"}
    if unknown or "id" not in record:
        wrong = f'the unknown key "{min(unknown)}"' if unknown else 'no "id"'
        raise DocumentError(f"a concept has {wrong}")
    return Meaning(**record)
