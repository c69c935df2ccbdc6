"""A trace for people: a sequence diagram of 72 ASCII columns, and a table of what each step changed.

The diagram has a lane for each vCPU, for KVM, for the VMM and for the lifecycle event. A star is who acts, an arrow
goes from who acts to whom it sets going: an exit to KVM, an exit to user space, a start of a vCPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from workbench.checking.ghosts import GHOSTS
from workbench.measure.exploration.explore import TraceRow
from workbench.present.text.table import WIDTH, ascii_only

KVM, VMM, EVENT = "KVM", "VMM", "event"
LANE = 6  #: columns of one lane
NUMBER = 4  #: columns of the step's number
_GHOSTS = frozenset(map(repr, GHOSTS))


def lane_of(row: TraceRow) -> str:
    """Return in whose lane a step stands."""
    if row.side == "guest":
        return f"vCPU{row.cpu or 0}"
    return {"kernel": KVM, "user": VMM}.get(row.side, EVENT)


def lanes_of(rows: Sequence[TraceRow]) -> list[str]:
    """Return the lanes of a trace in the order of the picture: vCPUs, KVM, VMM, event."""
    cpus = sorted({row.cpu for row in rows if row.cpu is not None})
    used = {lane_of(row) for row in rows} | {goal for row in rows if (goal := _goal(row))}
    return [*(f"vCPU{cpu}" for cpu in cpus), *(lane for lane in (KVM, VMM, EVENT) if lane in used)]


def diagram(rows: Sequence[TraceRow]) -> str:
    """Return the sequence diagram, at most 72 columns of ASCII, each line ended; empty for an empty trace."""
    if not rows:
        return ""
    lanes = lanes_of(rows)
    left = NUMBER + LANE * len(lanes)
    several = sum(lane.startswith("vCPU") for lane in lanes) > 1
    idle = " " * NUMBER + "".join("|".center(LANE) for _ in lanes)
    lines = [" " * NUMBER + "".join(lane.center(LANE) for lane in lanes)]
    for number, row in enumerate(rows, 1):
        said = ascii_only(row.text + (_whose(row) if several else ""))
        text = wrap(said, WIDTH - left - 1, subsequent_indent="  ") or [""]
        lines.append(f"{number:>{NUMBER - 1}} {_marks(lanes, row)} {text[0]}")
        lines += [f"{idle} {more}" for more in text[1:]]
        lines += [f"{idle} {line}" for ghost in _ghosts(row) for line in wrap(f"!! {ghost}", WIDTH - left - 1)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def where(places: Sequence[tuple[int, str]]) -> str:
    """Return a legend of the addresses in a diagram: (gpa, what is there)."""
    lines = [line for gpa, name in places for line in wrap(f"{gpa:#x} {name}", WIDTH - 4, subsequent_indent="  ")]
    return "".join(f"    {line}\n" for line in lines)


def changes_table(rows: Sequence[TraceRow]) -> str:
    """Return a table with a line for each value that a step changed: step, who, what, before, after."""
    lines = ["step who    what changed"]
    for number, row in enumerate(rows, 1):
        who = lane_of(row)
        for name, before, after in row.changes:
            said = wrap(ascii_only(f"{name}: {before} -> {after}"), WIDTH - 12, break_on_hyphens=False)
            lines.append(f"{number:>4} {who:<6} {said[0]}")
            lines += [" " * 14 + more for more in said[1:]]
    return "\n".join(line[:WIDTH].rstrip() for line in lines) + "\n"


def as_records(rows: Sequence[TraceRow]) -> list[dict[str, object]]:
    """Return the steps as plain dictionaries, ready for json.dumps."""
    return [
        {
            "actor": row.actor,
            "side": row.side,
            "cpu": row.cpu,
            "step": row.text,
            "changed": {name: [before, after] for name, before, after in row.changes},
        }
        for row in rows
    ]


def _goal(row: TraceRow) -> str | None:
    """Return the lane that a step sets going, None if it sets nobody going."""
    if row.text.startswith("exit to user space"):
        return VMM
    if row.text.startswith("exit:"):
        return KVM
    started = [name for name, _, after in row.changes if name.startswith("slot ") and after != "nothing"]
    if row.side == "event" and started:
        slot = started[0].removeprefix("slot ")
        return f"vCPU{slot.removeprefix('vcpu')}" if slot.startswith("vcpu") else KVM
    return None


def _marks(lanes: list[str], row: TraceRow) -> str:
    """Return the lanes of one line: a star, bars, and an arrow if the step sets somebody going."""
    line = list("".join("|".center(LANE) for _ in lanes))
    middle = "|".center(LANE).index("|")
    own = lanes.index(lane_of(row)) * LANE + middle
    goal = _goal(row)
    if goal is not None and goal in lanes and goal != lane_of(row):
        end = lanes.index(goal) * LANE + middle
        step = 1 if end > own else -1
        for at in range(own + step, end, step):
            line[at] = "-"
        line[end] = ">" if step > 0 else "<"
    line[own] = "*"
    return "".join(line)


def _whose(row: TraceRow) -> str:
    """Return for which vCPU the host acts, where the step does not say so itself."""
    if row.side == "guest" or row.cpu is None or f"vCPU {row.cpu}" in row.text:
        return ""
    return f" [vCPU {row.cpu}]"


def _ghosts(row: TraceRow) -> list[str]:
    return [name for name, _, after in row.changes if name in _GHOSTS and after == "True"]
