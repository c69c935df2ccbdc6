"""Records the finished sequences of a campaign in a file: one JSON object per line, flushed to the device.

The rules kept here: a line is written only when its sequence is finished, so if the process ends, at most
the sequences in progress are lost, and they are run again; an incomplete last line is dropped; a file of
another seed, length or generator is refused, never overwritten.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from workbench.errors import WorkbenchError
from workbench.reading import parse_json


class Entry(NamedTuple):
    """One finished sequence."""

    sequence: int
    operations: int  #: compared
    known: Mapping[str, int]  #: explained differences, by explanation
    finding: str = ""  #: the replay file of an unexplained one


class Journal:
    """The finished sequences of a campaign; without a path, in memory only. A context manager."""

    def __init__(self, path: Path | None, head: Mapping[str, Any]) -> None:
        """Read ``path`` if it exists, and continue it. ``head`` must equal that of the file."""
        self.done: set[int] = set()
        self.operations = 0
        self.known: Counter[str] = Counter()
        self.findings: list[str] = []
        self._file: BinaryIO | None = None
        if path is None:
            return
        try:
            self._file = path.open("a+b")
            self._take_up(path, head)
        except OSError as error:
            self.close()
            raise WorkbenchError(f"state file {path} cannot be used: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()

    def add(self, entries: Iterable[Entry]) -> None:
        """Append finished sequences, and wait until they are on the device."""
        lines = []
        for entry in entries:
            self._count(entry)
            lines.append(json.dumps(entry._asdict()))
        self._append(lines)

    def _take_up(self, path: Path, head: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        first, *lines = content[:whole].splitlines() or [content]
        if first and whole:
            entries = _entries(path, first, lines, head)
        elif _BEGINNING.startswith(first[: len(_BEGINNING)]):  # new, or its first line is incomplete
            entries = []
        else:
            raise WorkbenchError(f"state file {path} is not one of workbench fuzz")
        self._file.truncate(whole)
        if not whole:
            self._append([json.dumps({"fuzz": dict(head)})])
        for entry in entries:
            self._count(entry)

    def _count(self, entry: Entry) -> None:
        if entry.sequence in self.done:
            return
        self.done.add(entry.sequence)
        self.operations += entry.operations
        self.known.update(entry.known)
        if entry.finding:
            self.findings.append(entry.finding)

    def _append(self, lines: Iterable[str]) -> None:
        if self._file is None:
            return
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())


_BEGINNING = b'{"fuzz": {'


def _entries(path: Path, first: bytes, lines: Iterable[bytes], head: Mapping[str, Any]) -> list[Entry]:
    try:
        found = parse_json(first.decode())["fuzz"]
        entries = [Entry(**parse_json(line.decode())) for line in lines]
    except (WorkbenchError, ValueError, KeyError, TypeError):
        raise WorkbenchError(f"state file {path} is not one of workbench fuzz") from None
    if found != dict(head):
        differs = next(key for key in {**found, **head} if found.get(key) != head.get(key))
        raise WorkbenchError(
            f"state file {path} belongs to another campaign: {differs} is {found.get(differs)} there, "
            f"{head.get(differs)} here; use another file"
        )
    return entries
