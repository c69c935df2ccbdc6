"""The steps of a run as a sequence for a lecture room: a lane for each who acts, and one for the guest's memory.

A load is an arrow out of memory, a store an arrow into it, an exit an arrow to KVM or to the VMM. Who acts has the
shape that it has in the views: the guest an open circle, KVM a full one, the VMM a diamond, the event a square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import NamedTuple

from workbench.core.steps import Exit, Load, Set, Store
from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.recording import occurrences
from workbench.present.text.trace import goal_of, lane_of, lanes_of

MEMORY = "memory"
WIDE, TALL = 100, 26  #: of a lane in one line, in units of its drawing
_SHAPES = {
    "guest": '<circle cx="{x}" cy="13" r="7" class="open"/>',
    "kernel": '<circle cx="{x}" cy="13" r="8" class="full"/>',
    "user": '<path d="M{x} 4l9 9l-9 9l-9 -9z" class="full"/>',
    "event": '<path d="M{x} 5h8v16h-16v-16z" class="open"/>',
}


class Part(NamedTuple):
    """Some steps under a heading. ``since``: the number of the step since which a property is violated."""

    heading: str
    rows: Sequence[TraceRow]
    since: int | None = None


def touches_memory(row: TraceRow) -> bool:
    """Tell whether a step is seen from outside: an exit, a load or a store, or the host's note of an area."""
    step = row.own_step
    return isinstance(step, (Exit, Load, Store)) or (isinstance(step, Set) and getattr(step.key, "kind", "") == "area")


def sequence(name: str, parts: Iterable[Part], keep: Callable[[TraceRow], bool] = touches_memory) -> str:
    """Return the sequence as HTML. ``name``: what assistive technology calls it; ``keep``: the steps that are shown.

    Steps keep the numbers that they have in the whole run, so that they are found again in it.
    """
    parts = list(parts)
    every = [row for part in parts for row in part.rows if keep(row)]
    lanes = lanes_of(every)
    if any(isinstance(row.own_step, (Load, Store)) for row in every):
        lanes.insert(len({row.cpu for row in every if row.cpu is not None}), MEMORY)  # behind the vCPUs
    heads = "".join(f"<span>{escape(lane)}</span>" for lane in lanes)
    body = "".join(_part(part, lanes, keep) for part in parts)
    return (
        f'<table class="sequence" style="--lanes:{len(lanes)}"><caption>{escape(name)}</caption>'
        f'<thead><tr><td></td><th scope="col"><div class="heads">{heads}</div></th><th scope="col">step</th></tr>'
        f"</thead><tbody>{body}</tbody></table>"
    )


def _part(part: Part, lanes: Sequence[str], keep: Callable[[TraceRow], bool]) -> str:
    heading = f'<tr class="part"><td></td><th colspan="2" scope="rowgroup">{escape(part.heading)}</th></tr>'
    lines = [_line(number, row, lanes, part.since) for number, row in enumerate(part.rows, 1) if keep(row)]
    return (heading if part.heading else "") + "".join(lines)


def _line(number: int, row: TraceRow, lanes: Sequence[str], since: int | None) -> str:
    own = lane_of(row)
    seen = "".join(f'<strong class="bad">{escape(one)}</strong>' for one in occurrences(row))
    breaks = number == since
    mark = '<b class="bad">!</b>' if breaks else ""
    drawing = _drawing(row.side, lanes.index(own), _arrow(row, lanes, own), len(lanes))
    return (
        f'<tr{" class=breaks" if breaks else ""}><th scope="row">{number}{mark}</th>'
        f'<td class="lanes" aria-label="{escape(own)}">{drawing}</td><td>{escape(row.text)}{seen}</td></tr>'
    )


def _arrow(row: TraceRow, lanes: Sequence[str], own: str) -> tuple[int, int] | None:
    """Return the lanes from which and to which an arrow leads."""
    at = lanes.index(own)
    if isinstance(row.own_step, Load):
        return lanes.index(MEMORY), at
    if isinstance(row.own_step, Store):
        return at, lanes.index(MEMORY)
    goal = goal_of(row)
    return (at, lanes.index(goal)) if goal in lanes and goal != own else None


def _drawing(side: str, lane: int, arrow: tuple[int, int] | None, lanes: int) -> str:
    middle = [WIDE * at + WIDE // 2 for at in range(lanes)]
    drawn = ""
    if arrow is not None:
        start, end = (middle[at] for at in arrow)
        tip = 9 if end == middle[lane] else 0  # not under the mark of who acts
        back = -1 if end > start else 1
        tip = end + back * tip
        drawn = (
            f'<path d="M{start} 13H{tip + back * 10}" class="arrow"/>'
            f'<path d="M{tip} 13l{back * 12} -6v12z" class="full"/>'
        )
    mark = _SHAPES[side].format(x=middle[lane])
    return f'<svg viewBox="0 0 {WIDE * lanes} {TALL}" aria-hidden="true">{drawn}{mark}</svg>'


__all__ = ["Part", "sequence", "touches_memory"]
