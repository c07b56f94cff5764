"""Opening, sniffing and atomically writing files: one place for gzip, xz, stdin and stdout."""

from __future__ import annotations

import codecs
import contextlib
import fnmatch
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from biolink.errors import InputError
from biolink.kb.temporary import is_temporary, older, temporary_beside, unwritable

__all__ = [
    "DAMAGED",
    "check_folder_target",
    "check_named_folder",
    "display_name",
    "foreign_names",
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
#: What reading a damaged gzip or xz file raises.
DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)

#: Folder -> names of what it holds that does not belong to a folder of some kind.
Foreign = Callable[[Path], list[str]]


def display_name(path: str | Path) -> str:
    """What an error calls the file."""
    return "<stdin>" if str(path) == STDIO else str(path) or "''"


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
        When the file cannot be read; on reading as well, and when its compression is damaged.
    """
    file = _stdin() if str(path) == STDIO else _opened(path)
    try:
        magic = file.peek(6)[:6]
    except OSError as error:
        file.close()
        found = "a folder" if isinstance(error, IsADirectoryError) else error.strerror or str(error)
        raise InputError(str(path), None, found, "a file that can be read") from None
    unpacked: Any = file
    if magic.startswith(b"\x1f\x8b"):
        unpacked = gzip.open(file, "rb")
    elif magic == _XZ:
        unpacked = lzma.open(file, "rb")
    return io.BufferedReader(_Read(unpacked, file, display_name(path)), _CHUNK)


_XZ = b"\xfd7zXZ\x00"
_CHUNK = 1 << 16


def _opened(path: str | Path) -> io.BufferedReader:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InputError(str(path), None, error.strerror or str(error), "a readable file") from None


def _stdin() -> io.BufferedReader:
    if sys.stdin is None:
        raise InputError("<stdin>", None, "closed", "a stream to read")
    raw: Any = sys.stdin.buffer
    return raw if hasattr(raw, "peek") else io.BufferedReader(raw)


class _Read(io.RawIOBase):
    """Bytes of a file, unpacked, whose errors name it."""

    def __init__(self, unpacked: Any, file: IO[bytes], name: str) -> None:
        self._unpacked, self._file, self._name = unpacked, file, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data: bytes = self._unpacked.read1(len(buffer))
        except DAMAGED as error:
            found = f"damaged compression ({error})"
            raise InputError(self._name, None, found, "a whole file") from None
        except OSError as error:
            found = error.strerror or str(error)
            raise InputError(self._name, None, found, "a file that can be read") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and self._name != display_name(STDIO):
            self._file.close()
        super().close()


@contextlib.contextmanager
def open_text(path: str | Path, errors: str = "strict") -> Iterator[IO[str]]:
    """Open as UTF-8 text with line ends left as they are; see :func:`open_binary`.

    Parameters
    ----------
    path
        The file.
    errors
        What becomes of bytes that are not UTF-8, as for :func:`open`.
    """
    with io.TextIOWrapper(open_binary(path), "utf-8", errors, newline="") as text:
        try:
            yield text
        except UnicodeDecodeError as error:
            found = f"bytes that are not UTF-8 ({error.reason})"
            raise InputError(display_name(path), None, found, "UTF-8 text") from None


def numbered_lines(path: str | Path, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without ``\\n`` or ``\\r\\n``; a byte-order mark is dropped.

    Parameters
    ----------
    path
        The file.
    errors
        What becomes of bytes that are not UTF-8: ``strict``, or ``surrogateescape`` for readers
        that make a problem of the record that has them (:class:`biolink.Document` takes no lone
        surrogates).

    Raises
    ------
    InputError
        For bytes that are not UTF-8, naming the line.
    """
    number = 0
    with open_binary(path) as binary:
        try:
            for number, raw in enumerate(binary, 1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors)
                yield number, line.rstrip("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            found = f"bytes that are not UTF-8 ({error.reason})"
            raise InputError(display_name(path), number, found, "UTF-8 text") from None


def peek(path: str | Path, size: int = 4096) -> str:
    """The first characters of a file, for sniffing; "" for a folder. stdin keeps what is seen."""
    if str(path) == STDIO:
        head = _unpacked_head(_stdin().peek(size), size)
    elif Path(path).is_dir():
        return ""
    else:
        with open_binary(path) as stream:
            head = stream.read(size)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return head.decode("utf-16" if wide else "utf-8", errors="replace").removeprefix("\ufeff")


def _unpacked_head(head: bytes, size: int) -> bytes:
    with contextlib.suppress(zlib.error, lzma.LZMAError, EOFError):
        if head.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(head, size)
        if head.startswith(_XZ):
            return lzma.LZMADecompressor().decompress(head, size)
    return head[:size]


@contextlib.contextmanager
def replace_file(path: str | Path) -> Iterator[IO[str]]:
    """Write text to a temporary name beside ``path`` and rename it when all went well.

    ``-`` writes to stdout. The name's ``.gz`` or ``.xz`` decides the compression. Line ends are
    written as given. A device or a pipe is written to as it is.

    Raises
    ------
    InputError
        When the place cannot be written, or is full.
    """
    if str(path) == STDIO:
        with contextlib.closing(_StandardOutput()) as output, _text_into(output, "") as stream:
            yield stream
        return
    suffix = Path(path).suffix.lower()
    target = _resolved(path)
    mode = _mode(target, path)
    if stat.S_ISDIR(mode):
        raise InputError(str(path), None, "a folder", "the name of a file to write")
    if not stat.S_ISREG(mode):
        try:
            device = target.open("wb", buffering=0)
        except OSError as error:
            raise unwritable(path, error) from None
        with device, _Told(device, path) as raw, _text_into(raw, suffix) as stream:
            yield stream
        return
    with temporary_beside(target, folder=False) as (temporary, handle):
        with (
            os.fdopen(os.dup(handle), "wb", buffering=0) as file,
            _Told(file, path) as raw,
            _text_into(raw, suffix) as stream,
        ):
            yield stream
        try:
            temporary.replace(target)
        except OSError as error:
            raise unwritable(path, error) from None


def _mode(target: Path, path: str | Path) -> int:
    """What stands at a place; a file where there is nothing."""
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG
    except OSError as error:
        raise unwritable(path, error) from None


@contextlib.contextmanager
def _text_into(raw: io.RawIOBase, suffix: str) -> Iterator[IO[str]]:
    """Text that is compressed as the suffix says."""
    with contextlib.ExitStack() as stack:
        binary: IO[bytes] = stack.enter_context(io.BufferedWriter(raw))
        if suffix == ".gz":
            binary = cast(IO[bytes], stack.enter_context(gzip.open(binary, "wb")))
        elif suffix == ".xz":
            binary = stack.enter_context(lzma.open(binary, "wb"))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


class _Told(io.RawIOBase):
    """Bytes on their way to a file, whose errors name it."""

    def __init__(self, file: IO[bytes], name: str | Path) -> None:
        self._file, self._name = file, name

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable(self._name, error) from None


class _StandardOutput(_Told):
    """Bytes on their way to stdout, which is not closed behind them."""

    def __init__(self) -> None:
        if sys.stdout is None:
            raise InputError("<stdout>", None, "closed", "a stream that can be written")
        super().__init__(sys.stdout.buffer, "<stdout>")

    def flush(self) -> None:
        if not self.closed:
            try:
                self._file.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise unwritable(self._name, error) from None


def _resolved(path: str | Path) -> Path:
    """Where a name leads: what a link points to is written, the link stays."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(str(path), None, str(error), "the name of a file or folder") from None


def check_folder_target(path: str | Path, foreign: Foreign, kind: str) -> None:
    """Refuse a place at which no folder of the kind may be written; see :func:`replace_folder`.

    Called before the work, so that it is not done in vain.

    Raises
    ------
    InputError
        When something else stands there, or the place cannot be written.
    """
    check_named_folder(path, kind)
    target = _resolved(path)
    mode = _mode(target, path)
    if target.is_dir():
        try:
            own = {entry.name for entry in target.iterdir() if not is_temporary(entry.name)}
        except OSError as error:
            raise unwritable(path, error) from None
        others = foreign(target) if own else []
        if others:
            what = "a folder" if own <= set(others) else kind
            named = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
            found = f"{what} with something else in it ({named})"
            expected = f"a new or empty folder, or {kind} alone, which is replaced"
            raise InputError(str(path), None, found, expected)
    elif not stat.S_ISREG(mode) or target.exists():
        raise InputError(str(path), None, "a file", f"the name of a folder for {kind}")
    parent = next(above for above in target.parents if above.exists())
    if not parent.is_dir():
        raise InputError(str(path), None, f"{parent} is a file", "a folder to write into")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(str(path), None, f"{parent} cannot be written", "a folder that can be")


def _kept_folders() -> list[Path]:
    kept = []
    for place in (Path.cwd, Path.home):
        with contextlib.suppress(OSError, RuntimeError):
            kept.append(place().resolve())
    return kept or [Path("/")]


def check_named_folder(path: str | Path, kind: str) -> None:
    """Refuse to write into the current folder, the home folder and those above them.

    Raises
    ------
    InputError
        When the path leads there, or is empty.
    """
    if not str(path):
        raise InputError("''", None, "an empty path", f"the name of a folder for {kind}")
    target = _resolved(path)
    if any(target == kept or target in kept.parents for kept in _kept_folders()):
        found = "the current or the home folder, or one above it"
        raise InputError(str(path), None, found, f"a folder of its own for {kind}")


def foreign_names(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Sorted names of what a folder holds beside names that fit the patterns.

    What a killed run left in it is no such thing.

    >>> foreign_names(Path("no-such-folder"), ["*.json"])
    []
    """
    allowed = [*patterns, ".DS_Store"]
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return [
        name
        for name in names
        if not is_temporary(name)
        and not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)
    ]


@contextlib.contextmanager
def replace_folder(path: str | Path, foreign: Foreign, kind: str) -> Iterator[Path]:
    """Fill a temporary folder beside ``path`` and rename it when all went well.

    An older folder of the same kind at ``path`` is replaced; it stays untouched when the block
    fails. Anything else that stands there is refused.

    Parameters
    ----------
    path
        What is written.
    foreign
        Names of what a folder that is not empty holds and a folder of the kind does not.
    kind
        What messages call it: "a stored knowledge base".

    Raises
    ------
    InputError
        When something else stands there, or the place cannot be written, or is full.
    """
    check_folder_target(path, foreign, kind)
    target = _resolved(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    with temporary_beside(target, folder=True) as (temporary, _):
        try:
            yield temporary
            if target.exists():
                # Somebody may have put something there in the meantime.
                check_folder_target(path, foreign, kind)
                old = older(temporary)
                target.rename(old)
                temporary.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.rename(target)
        except OSError as error:
            raise unwritable(path, error) from None


def sha256_of(path: str | Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
