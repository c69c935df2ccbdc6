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

from workbench.core.memory import GuestMemory
from workbench.errors import GuestMemoryError, WorkbenchError
from workbench.reading import SyntaxWrongError, parse_json, read_bytes
from workbench.replay.grammar import CHOSEN, Operation, operation
from workbench.replay.values import NotAllowedError, quote

#: The most RAM that a machine may have at one time, in bytes and memslots, and where RAM must end: hosts lay out
#: tables for every page of a memslot, and x86-64 physical addresses have at most 52 bits (Intel SDM, MAXPHYADDR).
RAM_LIMIT, SLOT_LIMIT, GPA_END = 16 << 30, 256, 1 << 52


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
    layout = _Layout()
    operations = []
    for line, text in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        try:
            record = _record(text)
            if record is not None:
                operations.append(operation(line, record))
                layout.follow(operations[-1])
        except NotAllowedError as error:
            raise error.within(f"{name}:{line}: ", WorkbenchError) from None
    return ReplayFile(name, operations)


def check_layout(operations: Iterable[Operation]) -> None:
    """Raise WorkbenchError unless each of ``operations`` is possible after those before it."""
    layout = _Layout()
    for step in operations:
        try:
            layout.follow(step)
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


class _Layout:
    """Tracks the vCPUs and memslots that the machine has at each line."""

    def __init__(self) -> None:
        self.vcpus = 1
        self.memory = GuestMemory()

    def follow(self, step: Operation) -> None:
        """Apply one operation; raise NotAllowedError if it is not possible."""
        try:
            self._follow(step)
        except (NotAllowedError, GuestMemoryError) as error:
            raise error.within(f"{step.op}: ", NotAllowedError) from None

    def _follow(self, step: Operation) -> None:
        arguments = step.arguments
        if step.op == "machine":
            self.vcpus, self.memory = arguments["vcpus"], GuestMemory()
        elif step.op == "ram":
            self._add(arguments["gpa"], arguments["size"])
        elif step.op == "unplug":
            self.memory.delete(arguments["gpa"])
        elif arguments.get("cpu", 0) >= self.vcpus:
            last = f"0 to {self.vcpus - 1}" if self.vcpus > 1 else "0 alone"
            raise NotAllowedError(f"vCPU {arguments['cpu']} does not exist; this machine has {last}")

    def _add(self, gpa: int, size: int) -> None:
        slots = self.memory.slots
        if gpa + size > GPA_END:
            raise NotAllowedError(f"it ends at {gpa + size:#x}; allowed: RAM below {GPA_END:#x}")
        if sum(slot.size for slot in slots) + size > RAM_LIMIT:
            raise NotAllowedError(f"{size:#x} bytes are too many; allowed: {RAM_LIMIT:#x} bytes in all memslots")
        if len(slots) == SLOT_LIMIT:
            raise NotAllowedError(f"one memslot too many; allowed: {SLOT_LIMIT} at a time")
        self.memory.add(gpa, size)


def protocols_named(file: ReplayFile) -> Iterator[tuple[int, str]]:
    """Yield (line, protocol) wherever a ``machine`` names its protocol."""
    for step in file.operations:
        if step.op == "machine" and step.arguments["protocol"] is not CHOSEN:
            yield step.line, step.arguments["protocol"]
