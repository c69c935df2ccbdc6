"""A recording as a view: the sequence of steps, and memory, host and guest after each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.recording import Recording, occurrences
from workbench.present.text.trace import diagram, ending_text, goal_of, lane_of, lanes_of, where, whose_step
from workbench.present.web.view import View
from workbench.printable import ascii_only

#: What is said below a trace that leads to no failure, and where there is no step.
ENDS = "This is one schedule of many; the explorer takes all of them."
NO_STEPS = "no step is taken: the event does nothing here"


def stepper(recording: Recording, **again: Any) -> View:
    """Return the view of one recording; ``again``: what gives it again (``again.trace_again``)."""
    return View("stepper", trace_data(recording) | again, trace_text(recording))


def pair(title: str, recordings: Sequence[Recording], again: Sequence[dict[str, Any]]) -> View:
    """Return two recordings side by side: generic against per_feature, or a design before and after a repair."""
    text = "\n".join(trace_text(one) for one in recordings)
    traces = [trace_data(one) | said for one, said in zip(recordings, again, strict=True)]
    return View("pair", {"title": title, "traces": traces}, text)


def title_of(recording: Recording) -> str:
    """Return what the recording shows: "double fetch: generic under descriptor-race"."""
    failure = recording.failure
    return recording.subject if failure is None else f"{failure.title}: {recording.subject}"


def trace_text(recording: Recording) -> str:
    """Return the recording as text of 72 columns: the diagram, and the sentence that is violated."""
    since = recording.ending.since if recording.ending else None
    title = ascii_only(f"{title_of(recording)} ({recording.size})" if recording.size else title_of(recording))
    lines = [f"{title}\n", diagram(recording.rows, since, recording.texts), where(recording.places)]
    if recording.failure is not None and recording.ending is not None:
        lines.append(ending_text(recording.failure, recording.ending))
    return "".join(lines)


def trace_data(recording: Recording, *, text: bool = True) -> dict[str, Any]:
    """Return what the script draws; ``text``: with the same as text, which is about as long."""
    failure, end = recording.failure, recording.ending
    lanes = lanes_of(recording.rows)
    numbers = {item: at for at, item in enumerate(recording.start)}
    return {
        "title": title_of(recording),
        "about": ", ".join(filter(None, (recording.size, f"{len(recording.rows)} steps"))),
        "file": _file_name(recording),
        "lanes": lanes,
        "items": [
            {"group": item.group, "of": item.of, "name": item.name, "start": text}
            for item, text in recording.start.items()
        ],
        "steps": [
            _step(row, lanes, recording.text(at)) | {"changes": [[numbers[one], text] for one, text in changed.items()]}
            for at, (row, changed) in enumerate(zip(recording.rows, recording.changes, strict=True))
        ],
        "since": end.since if end else None,
        "sentences": list(end.sentences) if end else [],
        "failure": None if failure is None else {"title": failure.title, "what": failure.what},
        "ends": ENDS if len(recording.rows) > 0 else NO_STEPS,
        "empty": NO_STEPS,
        "text": trace_text(recording) if text else "",
    }


def _step(row: TraceRow, lanes: Sequence[str], text: str) -> dict[str, Any]:
    goal = goal_of(row)
    found: dict[str, Any] = {"lane": lanes.index(lane_of(row)), "side": row.side, "text": text}
    if goal is not None and goal in lanes and goal != lane_of(row):
        found["goal"] = lanes.index(goal)
    if whose := whose_step(row):
        found["whose"] = whose
    if seen := occurrences(row):
        found["seen"] = seen
    return found


def _file_name(recording: Recording) -> str:
    parts = [*recording.subject.split(" under "), *([recording.failure.name] if recording.failure else [])]
    return "-".join("".join(c if c.isalnum() or c in "-_+" else "-" for c in part) for part in parts)
