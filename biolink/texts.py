"""Plain texts for pre-training, from documents of any format that can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from biolink.documents import check_text
from biolink.errors import BiolinkError, InputError
from biolink.formats import read, sniff_format
from biolink.formats.problems import RECORD_ERRORS, OnProblem, check_utf8, raise_or_report
from biolink.kb.files import numbered_lines

__all__ = ["TextReader", "read_texts"]

_EXPECTED = 'an object with "text", or "title" and "abstract" and perhaps "body"'


def read_texts(files: Sequence[str], on_problem: OnProblem = None) -> Iterator[str]:
    """Yield the texts of files, in order, of any format that :func:`biolink.read` reads.

    A record of JSON Lines with ``title``, ``abstract`` and ``body`` (a string or a list of
    paragraphs) gives one text that holds all of them.

    Parameters
    ----------
    files
        The names of the files.
    on_problem
        Called with each problem in place of raising it; reading then goes on.

    Raises
    ------
    InputError
        When a file does not follow its format; the message names the file and the line.
    """
    for file in files:
        try:
            if sniff_format(file) == "jsonl":
                yield from _records(file, on_problem)
            else:
                for document in read(file, on_problem=on_problem):
                    yield " ".join(document.text.split())
        except InputError as error:
            raise_or_report(error, on_problem)


@dataclass(slots=True)
class TextReader:
    """Reads texts as :func:`read_texts` does, and keeps the problems.

    Attributes
    ----------
    problems
        Message -> problem, so each is kept once however often the files are read.
    """

    problems: dict[str, BiolinkError] = field(default_factory=dict)

    def __call__(self, files: Sequence[str]) -> Iterator[str]:
        return read_texts(files, self._keep)

    def _keep(self, problem: BiolinkError) -> None:
        self.problems.setdefault(str(problem), problem)


def _records(file: str, on_problem: OnProblem) -> Iterator[str]:
    for number, line in numbered_lines(file, "surrogateescape"):
        if not line.strip():
            continue
        try:
            check_utf8(line, file, number)
            record = json.loads(line)
            body = record.get("body") or []
            parts = [record.get("text"), record.get("title"), record.get("abstract")]
            parts += [body] if isinstance(body, str) else body
            text = " ".join(" ".join(part.split()) for part in parts if part)
            check_text(text, "a text")
        except InputError as error:
            raise_or_report(error, on_problem)
        except RECORD_ERRORS:
            wrong = InputError(file, number, line.strip()[:60], _EXPECTED)
            raise_or_report(wrong, on_problem)
        else:
            if text:
                yield text
