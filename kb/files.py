"""Opening, sniffing and atomically writing files: one place for gzip, xz, stdin and stdout."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from biolink.errors import InputError

__all__ = [
    "display_name",
    "numbered_lines",
    "open_binary",
    "open_text",
    "peek",
    "replace_file",
    "replace_folder",
    "sha256_of",
    "stem_suffixes",
]

STDIO = "-"


def display_name(path: str | Path) -> str:
    """What an error calls the file."""
    return "<stdin>" if str(path) == STDIO else str(path)


def stem_suffixes(path: str | Path) -> list[str]:
    """Lower-case suffixes of a path without its compression.

    >>> stem_suffixes("CDR.PubTator.txt.gz")
    ['.pubtator', '.txt']
    """
    return [s.lower() for s in Path(path).suffixes if s.lower() not in {".gz", ".xz"}]


def open_binary(path: str | Path) -> IO[bytes]:
    """Open a file, or stdin for ``-``, for reading bytes; gzip and xz are unpacked.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    try:
        raw: IO[bytes] = sys.stdin.buffer if str(path) == STDIO else Path(path).open("rb")
    except OSError as error:
        raise InputError(str(path), None, error.strerror or str(error), "a readable file") from None
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(raw)  # type: ignore[type-var]
    try:
        magic = buffered.peek(6)[:6]
    except IsADirectoryError:
        raise InputError(str(path), None, "a folder", "a file") from None
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(buffered, "rb")  # type: ignore[return-value]
    if magic == b"\xfd7zXZ\x00":
        return lzma.open(buffered, "rb")
    return buffered


@contextlib.contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open as UTF-8 text with line ends left as they are; see :func:`open_binary`."""
    binary = open_binary(path)
    text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise InputError(
            display_name(path), None, f"bytes that are not UTF-8 ({error.reason})", "UTF-8 text"
        ) from None
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(
            display_name(path), None, f"damaged compression ({error})", "a whole file"
        ) from None
    finally:
        if str(path) == STDIO:
            text.detach()
        else:
            text.close()


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without ``\\n`` or ``\\r\\n``; a byte-order mark is dropped.

    Raises
    ------
    InputError
        For bytes that are not UTF-8, naming the line.
    """
    number = 0
    binary = open_binary(path)
    try:
        for number, raw in enumerate(binary, 1):
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            yield number, line.rstrip("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InputError(
            display_name(path), number, f"bytes that are not UTF-8 ({error.reason})", "UTF-8 text"
        ) from None
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(
            display_name(path), number + 1, f"damaged compression ({error})", "a whole file"
        ) from None
    finally:
        if str(path) != STDIO:
            binary.close()


def peek(path: str | Path, size: int = 4096) -> str:
    """The first characters of a file, for sniffing; "" for a folder or for stdin."""
    if str(path) == STDIO or Path(path).is_dir():
        return ""
    with open_binary(path) as stream:
        try:
            return stream.read(size).decode("utf-8", errors="replace").removeprefix("\ufeff")
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise InputError(
                str(path), None, f"damaged compression ({error})", "a whole file"
            ) from None


@contextlib.contextmanager
def replace_file(path: str | Path) -> Iterator[IO[str]]:
    """Write text to a temporary name beside ``path`` and rename it when all went well.

    ``-`` writes to stdout. The name's ``.gz`` or ``.xz`` decides the compression. Line ends are
    written as given.
    """
    if str(path) == STDIO:
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield stream
            stream.flush()
        finally:
            stream.detach()
        return
    target = Path(path)
    suffix = target.suffix.lower()
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(
            str(path), None, error.strerror or str(error), "a place that can be written"
        ) from None
    os.close(handle)
    try:
        binary = _create(temporary, suffix)
        with binary, io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
            yield text
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _create(path: str, suffix: str) -> IO[bytes]:
    if suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "wb"))
    if suffix == ".xz":
        return cast(IO[bytes], lzma.open(path, "wb"))
    return Path(path).open("wb")


@contextlib.contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """Fill a temporary folder beside ``path`` and rename it when all went well.

    An older folder at ``path`` is replaced; it stays untouched when the block fails.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            target.rename(old / target.name)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sha256_of(path: str | Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
