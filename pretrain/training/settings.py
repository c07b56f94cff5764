"""Settings of a training: a frozen dataclass, read from a TOML file and checked field by field."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from biolink.errors import ConfigError

__all__ = ["at_least", "field_table", "read_settings", "share"]

T = TypeVar("T")


def at_least(name: str, value: float, least: float) -> None:
    """Raise :class:`ConfigError` if a number is too small."""
    if value < least:
        raise ConfigError(f"{name} = {value}; expected {least} or more")


def share(name: str, value: float) -> None:
    """Raise :class:`ConfigError` if a number is not in [0, 1]."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} = {value}; expected a number from 0 to 1")


class _FromHere(str):
    """A string of an override, in which paths are relative to the current folder."""


def read_settings(cls: type[T], file: str | Path, overrides: Sequence[str] = ()) -> T:
    """Read settings from a TOML file.

    Parameters
    ----------
    cls
        A dataclass. The type of a field is str, int, float, bool, a path, a literal, a tuple of
        these, a table (``dict``) or another such dataclass; it may be optional.
    file
        The file; paths in it (fields of type :class:`~pathlib.Path`) are relative to its folder.
    overrides
        Settings as ``table.key=value``, with the value in TOML or as a bare word. They override
        the file, and paths in them are relative to the current folder.

    Raises
    ------
    ConfigError
        When a setting is not valid; the message names the file, the line and what was expected.
    """
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); expected TOML") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not a text file; expected TOML in UTF-8") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}; expected TOML") from None
    for override in overrides:
        path, sign, written = override.partition("=")
        if not sign:
            raise ConfigError(f"override {override!r}; expected key=value")
        *tables, key = path.strip().split(".")
        inner = values
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[key] = _value(written.strip())
    folder = file.parent

    def fail(key: str, message: str) -> ConfigError:
        return ConfigError(f"{file}{_line(text, key)}: {message}")

    return _build(cls, values, "", folder, fail)


def _value(written: str) -> Any:
    try:
        value = tomllib.loads(f"x = {written}")["x"]
    except tomllib.TOMLDecodeError:
        value = written
    if isinstance(value, list):
        return [_FromHere(item) if isinstance(item, str) else item for item in value]
    return _FromHere(value) if isinstance(value, str) else value


def _line(text: str, key: str) -> str:
    pattern = re.compile(rf"^\s*{re.escape(key.rpartition('.')[2])}\s*=")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f":{number}"
    return ""


def _build(cls: Any, values: Mapping[str, Any], prefix: str, folder: Path, fail: Any) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = get_type_hints(cls)
    for key in values:
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise fail(prefix + key, f"unknown setting {prefix + key!r}; expected one of {known}")
    given = {
        key: _checked(hints[key], value, prefix + key, folder, fail)
        for key, value in values.items()
    }
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in given:
            raise fail("", f"{prefix + name!r} is missing; expected {_written(hints[name])}")
    try:
        return cls(**given)
    except ConfigError as error:
        key = str(error).split(" ", 1)[0]
        raise fail(key, str(error)) from None


def _checked(hint: Any, value: Any, key: str, folder: Path, fail: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        hint = next(a for a in arguments if a is not type(None))
        return _checked(hint, value, key, folder, fail)
    wrong = fail(key, f"{key} = {value!r}; expected {_written(hint)}")
    if origin is Literal:
        if value not in arguments:
            raise wrong
        return str(value) if isinstance(value, str) else value
    if origin is tuple:
        if not isinstance(value, list):
            raise wrong
        return tuple(_checked(arguments[0], item, key, folder, fail) for item in value)
    if origin is dict or hint is dict:
        if not isinstance(value, dict):
            raise wrong
        return {k: str(v) if isinstance(v, _FromHere) else v for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise wrong
        return _build(hint, value, f"{key}.", folder, fail)
    if hint is Path:
        if not isinstance(value, str) or not value:
            raise wrong
        return Path(value) if isinstance(value, _FromHere) else folder / value
    if hint is str and isinstance(value, str):
        return str(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise wrong
    return value


def _written(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _written(next(a for a in arguments if a is not type(None)))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is tuple:
        return f"a list, each {_written(arguments[0])}"
    if origin is dict or hint is dict or dataclasses.is_dataclass(hint):
        return "a table"
    return {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}.get(
        hint, "a path"
    )


def field_table(settings: Any) -> dict[str, Any]:
    """Return settings as plain values for JSON or TOML, with paths as strings."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    table: dict[str, Any] = plain(dataclasses.asdict(settings))
    return table
