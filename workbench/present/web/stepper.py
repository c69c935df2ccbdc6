"""A recording as a view: the sequence of steps, and memory, host and guest after each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.core.own_files import named
from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.recording import Recording, occurrences
from workbench.present.text.trace import diagram, ending_text, goal_of, lane_of, lanes_of, where, whose_step
from workbench.present.web.view import View
from workbench.printable import ascii_only

#: What is said below a trace that leads to no failure, and where there is no step.
ENDS = "This is one schedule of many; the explorer takes all of them."
NO_STEPS = "no step is taken: the event does nothing here"


def stepper(recording: Recording) -> View:
    """Return the view of one recording."""
    return View("stepper", trace_data(recording), trace_text(recording))


def pair(title: str, recordings: Sequence[Recording]) -> View:
    """Return two recordings side by side: generic against per_feature, or a design before and after a repair."""
    text = "\n".join(trace_text(one) for one in recordings)
    return View("pair", {"title": title, "traces": [trace_data(one) for one in recordings]}, text)


def title_of(recording: Recording) -> str:
    """Return what the recording shows: "double fetch: generic under descriptor-race"."""
    question = recording.question
    told = f"{question.variant.label} under {question.event.name}"
    return told if recording.failure is None else f"{recording.failure.title}: {told}"


def trace_text(recording: Recording) -> str:
    """Return the recording as text of 72 columns: the diagram, and the sentence that is violated."""
    since = recording.ending.since if recording.ending else None
    title = ascii_only(f"{title_of(recording)} ({recording.question.size})")
    lines = [f"{title}\n", diagram(recording.rows, since)]
    lines.append(where(recording.places))
    if recording.failure is not None and recording.ending is not None:
        lines.append(ending_text(recording.failure, recording.ending))
    return "".join(lines)


def trace_data(recording: Recording, *, text: bool = True) -> dict[str, Any]:
    """Return what the script draws; ``text``: with the same as text, which is about as long."""
    question, failure, end = recording.question, recording.failure, recording.ending
    lanes = lanes_of(recording.rows)
    numbers = {item: at for at, item in enumerate(recording.start)}
    return {
        "title": title_of(recording),
        "about": f"{question.size}; {len(recording.rows)} steps",
        "file": _file_name(recording),
        "lanes": lanes,
        "items": [
            {"group": item.group, "of": item.of, "name": item.name, "start": text}
            for item, text in recording.start.items()
        ],
        "steps": [
            _step(row, lanes) | {"changes": [[numbers[item], text] for item, text in changes.items()]}
            for row, changes in zip(recording.rows, recording.changes, strict=True)
        ],
        "since": end.since if end else None,
        "sentences": list(end.sentences) if end else [],
        "failure": None if failure is None else {"title": failure.title, "what": failure.what},
        "ends": ENDS,
        "empty": NO_STEPS,
        "command": _command(recording),
        "python": _python(recording),
        "text": trace_text(recording) if text else "",
    }


def _step(row: TraceRow, lanes: Sequence[str]) -> dict[str, Any]:
    goal = goal_of(row)
    found: dict[str, Any] = {"lane": lanes.index(lane_of(row)), "side": row.side, "text": row.text}
    if goal is not None and goal in lanes and goal != lane_of(row):
        found["goal"] = lanes.index(goal)
    if whose := whose_step(row):
        found["whose"] = whose
    if seen := occurrences(row):
        found["seen"] = seen
    return found


def _file_name(recording: Recording) -> str:
    question = recording.question
    parts = [question.variant.label, question.event.name, *([recording.failure.name] if recording.failure else [])]
    return "-".join("".join(c if c.isalnum() or c in "-_+" else "-" for c in part) for part in parts)


def _command(recording: Recording) -> str:
    question = recording.question
    features = ",".join(named(feature) for feature in question.features)
    asked = f"--events {named(question.event)} --features {features} --vcpus {question.vcpus}"
    failing = "" if recording.failure is None else f" --property {recording.failure.name}"
    return f"workbench page trace {question.variant.label} {asked}{failing} -o trace.html"


def _python(recording: Recording) -> str:
    question = recording.question
    features = [named(feature) for feature in question.features]
    lines = [
        "from workbench.present.web import trace",
        "",
        f"trace({question.variant.label!r}, {named(question.event)!r}, {features!r}, vcpus={question.vcpus}"
        + (f", failure={recording.failure.name!r})" if recording.failure else ")"),
    ]
    return "\n".join(lines) + "\n"
