"""Label Studio's JSON: a list of tasks, with labels for the types and a text field for the id.

A task has the text as ``data.text`` and the id of the document as ``data.id``. The links are a
prediction, which people change into an annotation. Label Studio counts in UTF-16; offsets in code
points are understood as well, where they give the text of the label.

The labelling configuration is::

    <View>
      <Labels name="type" toName="text"> <Label value="Disease"/> ... </Labels>
      <Text name="text" value="$text"/>
      <TextArea name="concept" toName="text" perRegion="true" editable="true"/>
    </View>
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from biolink.documents import Document, Mention
from biolink.errors import InputError
from biolink.formats.problems import RECORD_ERRORS, described
from biolink.kb.files import display_name, open_text, replace_file

__all__ = ["read", "write"]


def write(documents: Sequence[Document], path: str | Path) -> None:
    """Write documents as tasks with predictions."""
    tasks = []
    for document in documents:
        result: list[dict[str, Any]] = []
        for number, mention in enumerate(document.mentions):
            value = {
                "start": _units(document.text[: mention.start]),
                "end": _units(document.text[: mention.end]),
                "text": mention.text,
            }
            at = {"id": str(number), "to_name": "text"}
            label = {"labels": [mention.type or "Entity"]}
            result.append({**at, "from_name": "type", "type": "labels", "value": value | label})
            if mention.best is not None:
                text = {"text": [mention.best.curie or mention.best.concept_id]}
                part = {**at, "from_name": "concept", "type": "textarea", "value": value | text}
                result.append(part)
        prediction = {"model_version": "biolink", "result": result}
        data = {"id": document.id, "text": document.text}
        tasks.append({"data": data, "predictions": [prediction]})
    with replace_file(path) as stream:
        stream.write(json.dumps(tasks, indent=1, ensure_ascii=False) + "\n")


def read(path: str | Path) -> Iterator[Document]:
    """Read the documents of tasks that have an annotation; of several, the last one counts.

    Raises
    ------
    InputError
        If the file is not an export in Label Studio's JSON.
    """
    source = display_name(path)
    expected = "an export in Label Studio's JSON (not JSON-MIN) of tasks that biolink wrote"
    try:
        with open_text(path) as stream:
            tasks = json.load(stream)
        if not isinstance(tasks, list):
            raise ValueError("it is no list of tasks")
    except (ValueError, RecursionError) as error:
        raise InputError(source, None, described(error), expected) from None
    for number, task in enumerate(tasks, 1):
        try:
            done = [a for a in task.get("annotations", ()) if not a.get("was_cancelled")]
            document = _document(task["data"], done[-1]["result"]) if done else None
        except RECORD_ERRORS as error:
            raise InputError(source, None, f"task {number}: {described(error)}", expected) from None
        if document is not None:
            yield document


def _document(data: dict[str, Any], result: list[dict[str, Any]]) -> Document:
    text = data["text"]
    ids: dict[str, tuple[str, ...]] = {}
    for region in result:
        if region["type"] == "textarea":
            written = region["value"]["text"]
            given = [written] if isinstance(written, str) else written
            ids[region["id"]] = tuple(i.strip() for i in given if i.strip())
    mentions = []
    for region in result:
        if region["type"] == "labels":
            value = region["value"]
            start, end = _span(text, value["start"], value["end"], value.get("text"))
            kind = value["labels"][0]
            mentions.append(
                Mention(
                    start,
                    end,
                    text[start:end],
                    "" if kind == "Entity" else kind,
                    concept_ids=ids.get(region["id"], ()),
                )
            )
    mentions.sort(key=lambda m: (m.start, m.end))
    return Document(str(data["id"]), text, mentions=tuple(mentions))


def _units(text: str) -> int:
    """The length of a text in UTF-16.

    >>> _units("a💊")
    3
    """
    return len(text) + sum(character > "\uffff" for character in text)


def _span(text: str, start: int, end: int, said: str | None) -> tuple[int, int]:
    """Offsets in code points, of offsets in UTF-16 or, if only these fit, in code points."""
    encoded = text.encode("utf-16-le")
    before, inside = encoded[: 2 * start], encoded[2 * start : 2 * end]
    try:
        first = len(before.decode("utf-16-le"))
        span = (first, first + len(inside.decode("utf-16-le")))
    except UnicodeDecodeError:
        span = (start, end)
    if said is not None and text[slice(*span)] != said and text[start:end] == said:
        span = (start, end)
    if said is not None and text[slice(*span)] != said:
        raise ValueError(f"{said[:60]!r} is not the text at {start}-{end}")
    return span
