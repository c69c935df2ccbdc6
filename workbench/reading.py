"""Reads the files that a user names: regular files alone, UTF-8 whatever the locale, and JSON that has one meaning.

A device, a pipe or a view of the kernel is refused before it is read: reading one may wait for ever or never end.
"""

import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

MOST_BYTES = 64 << 20  #: of one file; longer ones are refused
MOST_DIGITS = 400  #: of one number in JSON; a double has at most 309 before its point
_SORTS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
_KERNELS = ("/proc", "/sys")  # files of the kernel's own; they have no size, and some wait or never end


class SyntaxWrongError(WorkbenchError):
    """Text that is not JSON at all."""


def read_bytes(path: Path, what: str) -> bytes:
    """Return the content of a file; raise WorkbenchError, which calls it ``what``, if it is no file or too long."""
    content = b""
    try:
        wrong = _refused(path.stat())
        if wrong is None:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                wrong = _refused(os.fstat(file.fileno()))  # it may be another one by now
                content = b"" if wrong else file.read(MOST_BYTES + 1)
                wrong = wrong or _too_long(len(content))
    except (OSError, ValueError) as error:
        wrong = getattr(error, "strerror", None) or str(error)
    if wrong is not None:
        raise WorkbenchError(f"{what} {str(path)!r} cannot be read: {wrong}")
    return content


def read_text(path: Path, what: str) -> str:
    """Return the text of a file, with LF line ends; raise WorkbenchError, which calls it ``what``."""
    return as_text(read_bytes(path, what), f"{what} {str(path)!r} cannot be read")


def read_stdin(what: str) -> str:
    """Return the text on standard input; raise WorkbenchError, which calls it ``what``."""
    failed = f"{what} on standard input cannot be read"
    if sys.stdin is None:
        raise WorkbenchError(f"{failed}: it is closed")
    raw = getattr(sys.stdin, "buffer", None)
    try:
        content = sys.stdin.read().encode() if raw is None else raw.read(MOST_BYTES + 1)
    except OSError as error:
        raise WorkbenchError(f"{failed}: {error.strerror}") from None
    if wrong := _too_long(len(content)):
        raise WorkbenchError(f"{failed}: {wrong}")
    return as_text(content, failed)


def read_json(path: Path, what: str) -> Any:
    """Return the value in a JSON file; raise WorkbenchError, which calls it ``what``."""
    text = read_text(path, what)
    try:
        return parse_json(text)
    except WorkbenchError as error:
        raise WorkbenchError(f"{what} {str(path)!r}: {error}") from None


def as_text(content: bytes, failed: str) -> str:
    """Return UTF-8 as text; a byte order mark is dropped. Raises WorkbenchError that begins with ``failed``."""
    try:
        text = content.decode("utf-8-sig")
        at = content.find(b"\0")
        wrong = "NUL"
    except UnicodeDecodeError as error:
        text, at, wrong = "", error.start, "not UTF-8"
    if at >= 0:
        line = content.count(b"\n", 0, at) + 1
        column = at - content.rfind(b"\n", 0, at)
        raise WorkbenchError(f"{failed}: byte {column} of line {line} is {wrong}")
    return text.replace("\r\n", "\n")


def parse_json(text: str) -> Any:
    """Return a JSON value; raise WorkbenchError for what is not JSON and for what programs read in different ways.

    These are a key that stands twice, NaN, infinite numbers and very long ones (RFC 8259, sections 4 and 6).
    """
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"column {error.colno}"
        raise SyntaxWrongError(f"not JSON: {error.msg} ({where})") from None
    except RecursionError:
        raise SyntaxWrongError("not JSON that can be read: nested too deeply") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise WorkbenchError(f"the key {json.dumps(key)} stands twice in one object")
        found[key] = value
    return found


def _no_constant(word: str) -> Any:
    raise WorkbenchError(f"{word} is not JSON; allowed: finite numbers")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise WorkbenchError(f"a number has {len(digits)} digits; allowed: {MOST_DIGITS}")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise WorkbenchError(f"the number {digits[:20]} is too large")
    return number


def _refused(found: os.stat_result) -> str | None:
    """Return why what is found under a name is not read, None if it is an ordinary file."""
    for is_sort, sort in _SORTS:
        if is_sort(found.st_mode):
            return f"it is {sort}, not a file"
    if found.st_dev in {place.stat().st_dev for place in map(Path, _KERNELS) if place.is_dir()}:
        return "it is a view of the kernel, not a file on a disk"
    return _too_long(found.st_size)


def _too_long(size: int) -> str | None:
    return f"it is longer than {MOST_BYTES >> 20} MiB" if size > MOST_BYTES else None
