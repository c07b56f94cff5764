"""Review with other tools: documents go out as they were linked, and come back corrected.

What comes back is compared with what went out, and the differences are acts. Offsets are code
points here; tools that count in UTF-16 have other ones after an emoji, which their modules convert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biolink.corrections import inception, label_studio
from biolink.corrections.acts import Act, Meaning
from biolink.corrections.files import write_corrections
from biolink.documents import Document, Mention
from biolink.errors import ConfigError, DocumentError
from biolink.formats import read as read_documents
from biolink.formats import write as write_documents

__all__ = ["TOOLS", "Tool", "acts_of_changes", "export_to", "import_from"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with which documents are reviewed: how they go out, and how they come back."""

    write: Callable[[Sequence[Document], str | Path], None]
    read: Callable[[str | Path], Iterable[Document]]


TOOLS = {
    "brat": Tool(
        lambda documents, path: write_documents(documents, path, "brat"),
        lambda path: read_documents(path, "brat"),
    ),
    "label-studio": Tool(label_studio.write, label_studio.read),
    "inception": Tool(inception.write, inception.read),
}


def _tool(name: str) -> Tool:
    if name not in TOOLS:
        raise ConfigError(f"the tool {name!r} is unknown; expected one of {', '.join(TOOLS)}")
    return TOOLS[name]


def export_to(tool: str, linked: Iterable[Document], path: str | Path) -> int:
    """Write linked documents for another tool, and return their number.

    Parameters
    ----------
    tool
        ``brat`` (a folder of stand-off files), ``label-studio`` (a JSON file of tasks) or
        ``inception`` (a folder of UIMA CAS XMI files, which needs the extra ``review``).
    linked
        The documents as they were linked.
    path
        The file or folder to write.

    Raises
    ------
    BiolinkError
        If the tool is unknown, or the documents cannot be written.
    """
    documents = list(linked)
    _tool(tool).write(documents, path)
    return len(documents)


def import_from(
    tool: str,
    path: str | Path,
    linked: Iterable[Document],
    out: str | Path,
    accept: bool = False,
) -> int:
    """Write the corrections that were made with another tool, and return the number of acts.

    A document is found among the linked ones by its id or, where a tool gave it another one, by its
    text.

    Parameters
    ----------
    tool
        See :func:`export_to`.
    path
        What came back.
    linked
        The documents as they were linked, which :func:`export_to` wrote.
    out
        The file of corrections to write.
    accept
        Whether mentions that were left as they are were accepted. Default: False, nothing is
        decided about them.

    Raises
    ------
    BiolinkError
        If a document that came back was not among the linked ones, or has another text.
    """
    documents = list(linked)
    of = {document.id: document for document in documents}
    with_text = {document.text: document for document in documents}
    corrected: list[tuple[Document, list[Act]]] = []
    seen: set[str] = set()
    for edited in _tool(tool).read(path):
        before = of.get(edited.id) or with_text.get(edited.text)
        if before is None or before.id in seen:
            what = "came back twice" if before is not None else "is not among the linked documents"
            raise DocumentError(f"{path}: the document {edited.id!r} {what}")
        seen.add(before.id)
        corrected.append((before, acts_of_changes(before, edited, accept)))
    if not corrected:
        raise ConfigError(f"{path}: no document came back; expected some of those that went out")
    write_corrections(out, corrected)
    return sum(len(acts) for _, acts in corrected)


def acts_of_changes(linked: Document, edited: Document, accept: bool = False) -> list[Act]:
    """Return the acts that make of a linked document what came back.

    A mention at the same place is the same one. One that overlaps a mention that is gone is that
    mention with other offsets.

    >>> linked = Document("1", "a fever", mentions=(Mention(2, 7, "fever", "Disease"),))
    >>> edited = linked.with_mentions([Mention(0, 7, "a fever", "Disease", ("mesh:D005334",))])
    >>> [(act.act, act.text) for act in acts_of_changes(linked, edited)]
    [('span', 'a fever'), ('choose', 'a fever')]

    Raises
    ------
    DocumentError
        If the texts differ.
    """
    if linked.text != edited.text:
        raise DocumentError(
            f"the document {linked.id!r} came back with another text; expected the text that went "
            "out"
        )
    free = dict(enumerate(linked.mentions))
    pairs: list[tuple[int | None, Mention]] = []
    rest: list[Mention] = []
    for mention in edited.mentions:
        number = _same(mention, free)
        if number is None:
            rest.append(mention)
        else:
            pairs.append((number, mention))
            del free[number]
    for mention in rest:
        near = [n for n, m in free.items() if m.start < mention.end and mention.start < m.end]
        pairs.append((near[0] if near else None, mention))
        if near:
            del free[near[0]]
    acts: list[Act] = []
    added = len(linked.mentions)
    for number, mention in sorted(pairs, key=lambda pair: (pair[1].start, pair[1].end)):
        before = None if number is None else linked.mentions[number]
        if number is None:
            number, added = added, added + 1
        acts += _acts(linked.id, number, before, mention, accept)
    acts += [
        Act("remove", linked.id, number, m.start, m.end, m.text, m.type)
        for number, m in free.items()
    ]
    return acts


def _same(mention: Mention, free: dict[int, Mention]) -> int | None:
    """The number of the mention at the same place, of the same type if there are several."""
    here = [n for n, m in free.items() if (m.start, m.end) == (mention.start, mention.end)]
    return min(here, key=lambda n: (free[n].type != mention.type, n), default=None)


def _acts(
    document: str, number: int, before: Mention | None, after: Mention, accept: bool
) -> Iterator[Act]:
    kind = after.type or (before.type if before is not None else "")
    at = (document, number, after.start, after.end, after.text, kind)
    if before is None:
        yield Act("add", *at)
    elif (before.start, before.end) != (after.start, after.end) or before.type != kind:
        yield Act("span", *at)
    meanings = tuple(_meaning(i, before) for i in after.concept_ids)
    ids = tuple(meaning.id for meaning in meanings)
    answer = () if before is None or before.best is None else (before.best.concept_id,)
    if ids != answer:
        act = "choose" if ids else "nil"
        yield Act(act, *at, concepts=meanings, joiner=after.id_joiner, source="import")
    elif accept and before is not None:
        yield Act("accept", *at, concepts=meanings, joiner=after.id_joiner)


def _meaning(concept_id: str, before: Mention | None) -> Meaning:
    """The concept of an id or CURIE, with the name that it has among the links."""
    for link in () if before is None else before.links:
        if concept_id in (link.concept_id, link.curie, f"ID:{link.concept_id}"):
            return Meaning(link.concept_id, link.curie, link.preferred_name)
    prefix, colon, bare = concept_id.partition(":")
    if not (colon and prefix and bare):
        return Meaning(concept_id)
    return Meaning(bare) if prefix == "ID" else Meaning(bare, concept_id)
