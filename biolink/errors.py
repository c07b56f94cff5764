"""The errors that biolink raises for mistakes that a user can correct.

Every error is a :class:`BiolinkError`, so a program can catch them all with one clause. Every
message says what was found, what was expected and, where it helps, what to do.
"""

from __future__ import annotations

import reprlib

__all__ = [
    "BiolinkError",
    "ConfigError",
    "DocumentError",
    "InputError",
    "KnowledgeBaseError",
    "MissingDependencyError",
    "ModelError",
    "UnknownConceptError",
    "shown",
]


class BiolinkError(Exception):
    """Base of all errors that a user of biolink can cause and correct."""


class InputError(BiolinkError):
    """A file or stream is not what its format says.

    Parameters
    ----------
    source
        Name of the file, or ``<stdin>``.
    line
        Line number from 1, or None where the format has no lines.
    found
        What the file has there.
    expected
        What the format expects there.
    """

    def __init__(self, source: str, line: int | None, found: str, expected: str) -> None:
        self.source = str(source)
        self.line = line
        self.found = found
        self.expected = expected
        where = self.source if line is None else f"{self.source}:{line}"
        super().__init__(f"{where}: {found}; expected {expected}")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, int | None, str, str]]:
        return type(self), (self.source, self.line, self.found, self.expected)


class KnowledgeBaseError(BiolinkError):
    """A knowledge base or trie is damaged, has another format or lacks what was asked for."""


class UnknownConceptError(KnowledgeBaseError, KeyError):
    """A knowledge base has no concept with the given id. This is a ``KeyError`` as well."""

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class DocumentError(BiolinkError, ValueError):
    """A document, passage, mention or link is not valid. This is a ``ValueError`` as well."""


class ModelError(BiolinkError):
    """A model folder cannot be used."""


class ConfigError(BiolinkError):
    """An option or a configuration file has a value that is not allowed."""


class MissingDependencyError(BiolinkError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, purpose: str, extra: str | None = None) -> None:
        self._given = (package, purpose, extra)
        cure = f"pip install 'biolink[{extra}]'" if extra else f"pip install {package}"
        super().__init__(f"{purpose} needs the package {package}: {cure}")

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str, str | None]]:
        return type(self), self._given


def shown(value: object) -> str:
    """Describe a value of a wrong type for a message, with its type.

    >>> shown(5), shown(None)
    ('5 (int)', 'None')
    """
    return "None" if value is None else f"{reprlib.repr(value)} ({type(value).__name__})"
