"""Writes a divergence as a replay file: the operations, KVM's answers, and both sides' answers as comments.

The rule kept here: ``workbench replay --engine kvm FILE`` meets the expectations and ``--engine sim`` does not, as
long as neither side has changed; differences that no expectation can state (a dirty page, a payload's padding) are
in comments.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.core.outcome import Outcome
from workbench.core.vmm import Vmm
from workbench.durable.replace import replace
from workbench.errors import WorkbenchError
from workbench.fuzz.compare import Divergence
from workbench.replay.grammar import Operation
from workbench.replay.report import describe
from workbench.replay.values import UNSAID


def write(folder: Path, name: str, operations: Sequence[Operation], found: Divergence, notes: Sequence[str]) -> Path:
    """Write the replay file and return its path. Raises WorkbenchError if that is not possible."""
    path = folder / f"{name}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(path, as_replay(operations, found, notes))
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be written: {error.strerror}") from None
    return path


def as_replay(operations: Sequence[Operation], found: Divergence, notes: Sequence[str]) -> str:
    """Return the text of a replay file."""
    head = [*notes, *both_sides(operations, found)]
    lines = [f"# {line}" for line in head]
    for position, step in enumerate(operations):
        record = _record(step)
        if position == found.position and found.expect:
            record["expect"] = _plain(found.expect)
        lines.append(json.dumps(record))
    return "\n".join(lines) + "\n"


def both_sides(operations: Sequence[Operation], found: Divergence) -> list[str]:
    """Return the divergence as lines of text: the operation, the simulator's answer, KVM's answer."""
    at_end = found.position >= len(operations)
    where = "at the end" if at_end else f"operation {found.position + 1}: {describe(operations[found.position])}"
    return [
        f"{where}: {found.key}" + (f": {found.why}" if found.why else ""),
        f"simulator: {found.simulated}",
        f"KVM:       {found.real}",
    ]


def _record(step: Operation) -> dict[str, Any]:
    arguments = {key: value for key, value in step.arguments.items() if value not in UNSAID}
    return {"op": step.op, **_plain(arguments)}


def _plain(values: Any) -> dict[str, Any]:
    return {key: _json(key, value) for key, value in values.items()}


def _json(key: str, value: Any) -> Any:
    if isinstance(value, Outcome):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Vmm):
        return value.name
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, int) and not isinstance(value, bool) and key in ("msr", "value", "gpa", "size"):
        return f"{value:#x}"
    return value
