"""A trace as text: a sequence diagram of 72 ASCII columns, and a table of what each step changed.

The diagram has a lane for each vCPU, for KVM, for the VMM and for the lifecycle event. A star marks the lane that
takes the step; an arrow leads to the lane that it starts: an exit to KVM, an exit to user space, a start of a vCPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from workbench.checking.failures import Failure
from workbench.core.step_text import key_text, step_text, value_text
from workbench.core.steps import Exit, ToUser
from workbench.engines.explore import SlotVar
from workbench.measure.exploration.ending import Ending
from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.recording import occurrences
from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

KVM, VMM, EVENT = "KVM", "VMM", "event"
LANE = 6  #: columns of one lane
NUMBER = 4  #: columns of the step's number


def lane_of(row: TraceRow) -> str:
    """Return the lane of a step."""
    if row.side == "guest":
        return f"vCPU{row.cpu or 0}"
    return {"kernel": KVM, "user": VMM}.get(row.side, EVENT)


def lanes_of(rows: Sequence[TraceRow]) -> list[str]:
    """Return the lanes of a trace in the diagram's order: vCPUs, KVM, VMM, event."""
    cpus = sorted({row.cpu for row in rows if row.cpu is not None})
    used = {lane_of(row) for row in rows} | {goal for row in rows if (goal := goal_of(row))}
    return [*(f"vCPU{cpu}" for cpu in cpus), *(lane for lane in (KVM, VMM, EVENT) if lane in used)]


def diagram(rows: Sequence[TraceRow], since: int | None = None, texts: Sequence[str] = ()) -> str:
    """Return the sequence diagram, at most 72 columns of ASCII, each line ending in a newline; empty for no steps.

    ``since`` is the number of the step that is marked by an exclamation mark; ``texts``: in place of the steps' own.
    """
    if not rows:
        return ""
    lanes = lanes_of(rows)
    left = NUMBER + LANE * len(lanes)
    several = len({row.cpu for row in rows if row.cpu is not None}) > 1
    idle = " " * NUMBER + "".join("|".center(LANE) for _ in lanes)
    lines = [" " * NUMBER + "".join(lane.center(LANE) for lane in lanes)]
    for number, row in enumerate(rows, 1):
        whose = whose_step(row) if several else ""
        told = texts[number - 1] if texts else row.text
        said = ascii_only(f"{told} [{whose}]" if whose else told)
        text = wrap(said, WIDTH - left - 1, subsequent_indent="  ") or [""]
        mark = "!" if number == since else " "
        lines.append(f"{number:>{NUMBER - 1}}{mark}{_marks(lanes, row)} {text[0]}")
        lines += [f"{idle} {more}" for more in text[1:]]
        lines += [f"{idle} {line}" for ghost in occurrences(row) for line in wrap(f"!! {ghost}", WIDTH - left - 1)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def where(places: Sequence[tuple[int, str]]) -> str:
    """Return a legend of the addresses in a diagram: (gpa, what is there)."""
    lines = [line for gpa, name in places for line in wrap(f"{gpa:#x} {name}", WIDTH - 4, subsequent_indent="  ")]
    return "".join(f"    {line}\n" for line in lines)


def ending_text(failure: Failure, end: Ending) -> str:
    """Return the violated sentence with the place, and since which step it has been true."""
    since = "" if end.since is None else f", since step {end.since} (!)"
    said = ascii_only(f"{failure.title}: {'; '.join(end.sentences)}{since}.")
    return "".join(f"{line}\n" for line in wrap(said, WIDTH, initial_indent="  ! ", subsequent_indent="    "))


def changes_table(rows: Sequence[TraceRow], since: int | None = None) -> str:
    """Return a table with a line for each value that a step changed: step, lane, variable, before, after.

    ``since`` is the number of the step that is marked by an exclamation mark.
    """
    lines = ["step who    what changed"]
    for number, row in enumerate(rows, 1):
        who = lane_of(row)
        for name, before, after in changes_of(row):
            said = wrap(ascii_only(f"{name}: {before} -> {after}"), WIDTH - 12, break_on_hyphens=False)
            lines.append(f"{number:>4}{'!' if number == since else ' '}{who:<6} {said[0]}")
            lines += [" " * 14 + more for more in said[1:]]
    return "\n".join(line[:WIDTH].rstrip() for line in lines) + "\n"


def as_records(rows: Sequence[TraceRow]) -> list[dict[str, object]]:
    """Return the steps as plain dictionaries, ready for json.dumps."""
    return [
        {
            "actor": str(row.actor),
            "side": row.side,
            "cpu": row.cpu,
            "step": row.text,
            "changed": {name: [before, after] for name, before, after in changes_of(row)},
        }
        for row in rows
    ]


def changes_of(row: TraceRow) -> list[tuple[str, str, str]]:
    """Return what a step changed, as text: (name, before, after)."""
    return [(key_text(name), _value_text(name, old), _value_text(name, new)) for name, old, new in row.changes]


def _value_text(name: Any, value: Any) -> str:
    """Return a variable's value as text; for a slot, the step that it takes next."""
    return step_text(value) if isinstance(name, SlotVar) and value is not None else value_text(value)


def goal_of(row: TraceRow) -> str | None:
    """Return the lane that a step starts, None if it starts none."""
    if isinstance(row.own_step, ToUser):
        return VMM
    if isinstance(row.own_step, Exit):
        return KVM
    started = [name.name for name, _, after in row.changes if isinstance(name, SlotVar) and after is not None]
    if row.side == "event" and started:
        slot: Any = started[0]
        return f"vCPU{slot.cpu}" if slot.serves_exits else KVM
    return None


def _marks(lanes: list[str], row: TraceRow) -> str:
    """Return the lanes of one line: a star, bars, and an arrow if the step starts another lane."""
    line = list("".join("|".center(LANE) for _ in lanes))
    middle = "|".center(LANE).index("|")
    own = lanes.index(lane_of(row)) * LANE + middle
    goal = goal_of(row)
    if goal is not None and goal in lanes and goal != lane_of(row):
        end = lanes.index(goal) * LANE + middle
        step = 1 if end > own else -1
        for at in range(own + step, end, step):
            line[at] = "-"
        line[end] = ">" if step > 0 else "<"
    line[own] = "*"
    return "".join(line)


def whose_step(row: TraceRow) -> str:
    """Return the vCPU for which the host acts; empty if the step's text names it."""
    if row.side == "guest" or row.cpu is None or f"vCPU {row.cpu}" in row.text:
        return ""
    return f"vCPU {row.cpu}"
