"""Parses a replay file into valid operations; an error is one line that says what is wrong.

The rule kept here: everything that can be checked without running is checked before anything runs: form and
range of every value, that each vCPU exists, and that memslots fit (by the core's own memory, so that its
error message is shown). Blank lines and lines that begin with # are ignored.
"""

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workbench.errors import GuestMemoryError, WorkbenchError
from workbench.reading import SyntaxWrongError, parse_json, read_bytes
from workbench.replay.grammar import Operation, operation
from workbench.replay.layout import Layout
from workbench.replay.operations import OPERATIONS
from workbench.replay.operations.machines import CHOSEN
from workbench.replay.values import NotAllowedError, quote


class ReplayFile(NamedTuple):
    """A replay file whose operations are valid."""

    name: str
    operations: Sequence[Operation]


def read(path: str | os.PathLike[str]) -> ReplayFile:
    """Read a replay file; raise WorkbenchError if it cannot be read, is malformed or has an invalid operation."""
    name = os.fsencode(path).decode("utf-8", "replace")
    return parse(name, read_bytes(Path(path), "replay file"))


def parse(name: str, content: bytes) -> ReplayFile:
    """Return the operations in ``content``; raise WorkbenchError that names file, line and what is allowed."""
    layout = Layout()
    operations = []
    for line, text in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        try:
            record = _record(text)
            if record is not None:
                operations.append(operation(line, record))
                _follow(layout, operations[-1])
        except NotAllowedError as error:
            raise error.within(f"{name}:{line}: ", WorkbenchError) from None
    return ReplayFile(name, operations)


def check_layout(operations: Iterable[Operation]) -> None:
    """Raise WorkbenchError unless each of ``operations`` is possible after those before it."""
    layout = Layout()
    for step in operations:
        try:
            _follow(layout, step)
        except NotAllowedError as error:
            raise error.within("", WorkbenchError) from None


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object on one line, or None for a line without one."""
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise NotAllowedError(f"byte {error.start + 1} of the line is not UTF-8") from None
    if not text or text.startswith("#"):
        return None
    try:
        record = parse_json(text)
    except SyntaxWrongError as error:
        raise NotAllowedError(f"{error}; allowed: one object per line") from None
    except WorkbenchError as error:
        raise NotAllowedError(str(error)) from None
    if not isinstance(record, dict):
        raise NotAllowedError(f"{quote(record)} is not an operation; allowed: one object per line")
    return record


def _follow(layout: Layout, step: Operation) -> None:
    """Apply one operation to the layout; raise NotAllowedError if it is not possible."""
    try:
        if "cpu" in step.arguments:
            layout.check_cpu(step.arguments["cpu"])
        follow = OPERATIONS[step.op].follow
        if follow is not None:
            follow(layout, step.arguments)
    except (NotAllowedError, GuestMemoryError) as error:
        raise error.within(f"{step.op}: ", NotAllowedError) from None


def protocols_named(file: ReplayFile) -> Iterator[tuple[int, str]]:
    """Yield (line, protocol) wherever a ``machine`` names its protocol."""
    for step in file.operations:
        if step.op == "machine" and step.arguments["protocol"] is not CHOSEN:
            yield step.line, step.arguments["protocol"]
