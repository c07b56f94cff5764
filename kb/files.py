"""Opening, sniffing and atomically writing files, with gzip, xz, stdin and stdout."""

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
#: The exceptions that are raised when a damaged gzip or xz file is read.
DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)

#: A function that lists the entries of a folder that do not belong to a folder of some kind.
Foreign = Callable[[Path], list[str]]


def display_name(path: str | Path) -> str:
    """Return the name of a file as messages show it."""
    return "<stdin>" if str(path) == STDIO else str(path) or "''"


def stem_suffixes(path: str | Path) -> list[str]:
    """Return the suffixes of a path in lower case, without that of its compression.

    >>> stem_suffixes("CDR.PubTator.txt.gz")
    ['.pubtator', '.txt']
    """
    return [s.lower() for s in Path(path).suffixes if s.lower() not in {".gz", ".xz"}]


def open_binary(path: str | Path) -> IO[bytes]:
    """Open a file for reading bytes; ``-`` is stdin, and gzip and xz are decompressed.

    Raises
    ------
    InputError
        If the file cannot be read or its compression is damaged. Later reads can raise it as well.
    """
    file = _stdin() if str(path) == STDIO else _opened(path)
    try:
        magic = file.peek(6)[:6]
    except OSError as error:
        file.close()
        reason = (
            "a folder" if isinstance(error, IsADirectoryError) else error.strerror or str(error)
        )
        raise InputError(str(path), None, reason, "a file that can be read") from None
    decompressed: Any = file
    if magic.startswith(b"\x1f\x8b"):
        decompressed = gzip.open(file, "rb")
    elif magic == _XZ:
        decompressed = lzma.open(file, "rb")
    return io.BufferedReader(_NamedReader(decompressed, file, display_name(path)), _CHUNK)


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


class _NamedReader(io.RawIOBase):
    """Reads the decompressed bytes of a file; its errors name the file."""

    def __init__(self, decompressed: Any, file: IO[bytes], name: str) -> None:
        self._decompressed, self._file, self._name = decompressed, file, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data: bytes = self._decompressed.read1(len(buffer))
        except DAMAGED as error:
            damage = f"damaged compression ({error})"
            raise InputError(self._name, None, damage, "a whole file") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(self._name, None, reason, "a file that can be read") from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and self._name != display_name(STDIO):
            self._file.close()
        super().close()


@contextlib.contextmanager
def open_text(path: str | Path, errors: str = "strict") -> Iterator[IO[str]]:
    """Open a file as UTF-8 text without changing line ends; see :func:`open_binary`.

    Parameters
    ----------
    path
        The file, or ``-`` for stdin.
    errors
        How bytes that are not UTF-8 are handled, as for :func:`open`. Default: ``strict``.

    Raises
    ------
    InputError
        If the file cannot be read, or, with ``strict``, is not UTF-8.
    """
    with io.TextIOWrapper(open_binary(path), "utf-8", errors, newline="") as text:
        try:
            yield text
        except UnicodeDecodeError as error:
            problem = f"bytes that are not UTF-8 ({error.reason})"
            raise InputError(display_name(path), None, problem, "UTF-8 text") from None


def numbered_lines(path: str | Path, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) without line ends and without a byte-order mark.

    Parameters
    ----------
    path
        The file, or ``-`` for stdin.
    errors
        How bytes that are not UTF-8 are handled. ``strict`` raises an error. ``surrogateescape``
        is for readers that report the record with these bytes as a problem, because a
        :class:`biolink.Document` cannot hold the lone surrogates. Default: ``strict``.

    Raises
    ------
    InputError
        If the file cannot be read, or, with ``strict``, for bytes that are not UTF-8; the message
        names the line.
    """
    number = 0
    with open_binary(path) as binary:
        try:
            for number, raw in enumerate(binary, 1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors)
                yield number, line.rstrip("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            problem = f"bytes that are not UTF-8 ({error.reason})"
            raise InputError(display_name(path), number, problem, "UTF-8 text") from None


def peek(path: str | Path, size: int = 4096) -> str:
    """Return the first characters of a file to recognise its format; "" for a folder.

    Characters that are peeked at on stdin are still there when it is read.
    """
    if str(path) == STDIO:
        head = _decompressed_head(_stdin().peek(size), size)
    elif Path(path).is_dir():
        return ""
    else:
        with open_binary(path) as stream:
            head = stream.read(size)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return head.decode("utf-16" if wide else "utf-8", errors="replace").removeprefix("\ufeff")


def _decompressed_head(head: bytes, size: int) -> bytes:
    with contextlib.suppress(zlib.error, lzma.LZMAError, EOFError):
        if head.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(head, size)
        if head.startswith(_XZ):
            return lzma.LZMADecompressor().decompress(head, size)
    return head[:size]


#: Suffixes of compressions that are not written; the content of the file would not fit its name.
_OTHER_COMPRESSIONS = (".zip", ".bz2", ".zst", ".lz4", ".7z")


@contextlib.contextmanager
def replace_file(path: str | Path) -> Iterator[IO[str]]:
    """Write text to a temporary file beside ``path``, and rename it if the block succeeds.

    ``-`` writes to stdout. The suffixes ``.gz`` and ``.xz`` select a compression. Line ends are
    not changed. Devices and pipes are written to directly.

    Raises
    ------
    InputError
        If the path cannot be written, or the disk is full.
    """
    if str(path) == STDIO:
        with contextlib.closing(_StandardOutput()) as output, _text_into(output, "") as stream:
            yield stream
        return
    suffix = Path(path).suffix.lower()
    if suffix in _OTHER_COMPRESSIONS:
        raise InputError(str(path), None, f"the suffix {suffix}", ".gz, .xz or no compression")
    target = _resolved(path)
    mode = _mode(target, path)
    if stat.S_ISDIR(mode):
        raise InputError(str(path), None, "a folder", "the name of a file to write")
    if not stat.S_ISREG(mode):
        try:
            device = target.open("wb", buffering=0)
        except OSError as error:
            raise unwritable(path, error) from None
        with device, _NamedWriter(device, path) as raw, _text_into(raw, suffix) as stream:
            yield stream
        return
    with temporary_beside(target, folder=False) as (temporary, handle):
        with (
            os.fdopen(os.dup(handle), "wb", buffering=0) as file,
            _NamedWriter(file, path) as raw,
            _text_into(raw, suffix) as stream,
        ):
            yield stream
        try:
            temporary.replace(target)
        except OSError as error:
            raise unwritable(path, error) from None


def _mode(target: Path, path: str | Path) -> int:
    """Return the file mode of a path; that of a regular file if there is nothing yet."""
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG
    except OSError as error:
        raise unwritable(path, error) from None


@contextlib.contextmanager
def _text_into(raw: io.RawIOBase, suffix: str) -> Iterator[IO[str]]:
    """Open a text stream into a binary one, with the compression that the suffix selects."""
    with contextlib.ExitStack() as stack:
        binary: IO[bytes] = stack.enter_context(io.BufferedWriter(raw))
        if suffix == ".gz":
            binary = cast(IO[bytes], stack.enter_context(gzip.open(binary, "wb")))
        elif suffix == ".xz":
            binary = stack.enter_context(lzma.open(binary, "wb"))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


class _NamedWriter(io.RawIOBase):
    """Writes bytes to a file; its errors name the file."""

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


class _StandardOutput(_NamedWriter):
    """Writes bytes to stdout and leaves it open."""

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
    """Follow symbolic links, so that the target of a link is written and the link stays."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(str(path), None, str(error), "the name of a file or folder") from None


def check_folder_target(path: str | Path, foreign: Foreign, kind: str) -> None:
    """Raise an error if no folder of this kind may be written at the path.

    It is called before long work, so that the work is not done in vain. The parameters are those
    of :func:`replace_folder`.

    Raises
    ------
    InputError
        If something else stands at the path, or it cannot be written.
    """
    check_named_folder(path, kind)
    target = _resolved(path)
    mode = _mode(target, path)
    if target.is_dir():
        try:
            own = {entry.name for entry in target.iterdir() if not is_temporary(entry.name)}
        except OSError as error:
            raise unwritable(path, error) from None
        foreign_entries = foreign(target) if own else []
        if foreign_entries:
            what = "a folder" if own <= set(foreign_entries) else kind
            listed = ", ".join(foreign_entries[:3]) + (", ..." if len(foreign_entries) > 3 else "")
            problem = f"{what} with something else in it ({listed})"
            expected = f"a new or empty folder, or {kind} alone, which is replaced"
            raise InputError(str(path), None, problem, expected)
    elif not stat.S_ISREG(mode) or target.exists():
        raise InputError(str(path), None, "a file", f"the name of a folder for {kind}")
    parent = next(above for above in target.parents if above.exists())
    if not parent.is_dir():
        raise InputError(str(path), None, f"{parent} is a file", "a folder to write into")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(str(path), None, f"{parent} cannot be written", "a folder that can be")


def _protected_folders() -> list[Path]:
    """Return the current and the home folder, which are never replaced."""
    protected = []
    for folder in (Path.cwd, Path.home):
        with contextlib.suppress(OSError, RuntimeError):
            protected.append(folder().resolve())
    return protected or [Path("/")]


def check_named_folder(path: str | Path, kind: str) -> None:
    """Raise an error if the path is the current folder, the home folder or one above them.

    Raises
    ------
    InputError
        If it is, or if the path is empty.
    """
    if not str(path):
        raise InputError("''", None, "an empty path", f"the name of a folder for {kind}")
    target = _resolved(path)
    if any(target == folder or target in folder.parents for folder in _protected_folders()):
        problem = "the current or the home folder, or one above it"
        raise InputError(str(path), None, problem, f"a folder of its own for {kind}")


def foreign_names(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the sorted names of a folder's entries that match none of the patterns.

    Temporary files and folders that a killed run left are not counted.

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
    """Fill a temporary folder beside ``path``, and rename it if the block succeeds.

    An older folder of the same kind at ``path`` is replaced; if the block fails, it stays
    unchanged. Anything else at ``path`` is never replaced.

    Parameters
    ----------
    path
        The folder to write.
    foreign
        A function that lists the entries of a folder that do not belong to a folder of this kind.
        It is not called with empty folders.
    kind
        What messages call such a folder, with its article: "a stored knowledge base".

    Raises
    ------
    InputError
        If something else stands at the path, it cannot be written, or the disk is full.
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
                # Another process may have put something there in the meantime.
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
    """Return the sha256 of a file's bytes in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
