"""The values of a JSON file: one for the whole file, or one on each line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from biolink.errors import InputError
from biolink.formats.problems import OnProblem, check_utf8, described, raise_or_report
from biolink.kb.files import display_name, numbered_lines

__all__ = ["json_values"]

#: The number of places after a damaged one at which a record is looked for.
_TRIES = 2_000


def json_values(
    path: str | Path, label: str, on_problem: OnProblem, is_record: Callable[[Any], bool]
) -> Iterator[tuple[int | None, Any]]:
    """Yield the values of a file as (line, value); the line is None for that of a whole file.

    A file with a value on each line is read line by line. If the file is not valid JSON and
    ``on_problem`` does not raise the problem, the records in it that can be read are looked for.

    Parameters
    ----------
    path
        The file.
    label
        The name of the format in messages.
    on_problem
        Called with each problem in place of raising it.
    is_record
        Whether a value that was found in a damaged file is a record of the format.
    """
    source = display_name(path)
    whole: list[str] = []
    for number, line in numbered_lines(path, "surrogateescape"):
        if not line.strip():
            continue
        if not whole:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                whole.append(line)
                continue
            yield number, value
        else:
            whole.append(line)
    if not whole:
        return
    text = "\n".join(whole)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        line_number = error.lineno if isinstance(error, json.JSONDecodeError) else None
        problem = InputError(source, line_number, described(error), label)
        try:
            check_utf8(text, source, None)
        except InputError as not_utf8:
            problem = not_utf8
        raise_or_report(problem, on_problem)
        for value in _whole_records(text, is_record):
            yield None, value
    else:
        yield None, value


def _whole_records(text: str, is_record: Callable[[Any], bool]) -> Iterator[Any]:
    """The records that can be read in a file that is not valid JSON as a whole."""
    decoder = json.JSONDecoder()
    begins = re.compile(r"(?:^|[\[,\n])\s*(?=\{)")
    position = 0
    for _ in range(_TRIES):
        begin = begins.search(text, position)
        if begin is None:
            return
        try:
            value, position = decoder.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            position = begin.end() + 1
            continue
        if is_record(value):
            yield value
