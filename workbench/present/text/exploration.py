"""Results of explorations as text, JSON, CSV, or a Python file that replays a finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, NamedTuple

from workbench.checking.failures import Failure
from workbench.core.own_files import from_files
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS, VERDICTS, gravest
from workbench.errors import WorkbenchError
from workbench.measure.exploration.cells import Cell, cells_of, violators
from workbench.measure.exploration.ending import ending
from workbench.measure.exploration.explore import Exploration, Question
from workbench.measure.exploration.finding_replay import RecordedFinding
from workbench.present import records
from workbench.present.finding_program import as_program
from workbench.present.text.table import WIDTH
from workbench.present.text.trace import as_records, changes_table, diagram, ending_text, where
from workbench.printable import ascii_only


@dataclass(frozen=True)
class Explored:
    """One protocol, as named on the command line, under one or several events."""

    protocol: str
    explorations: tuple[Exploration, ...]


class Told(NamedTuple):
    """What is printed of one exploration, in every form, as data that JSON holds; see :func:`told`."""

    limit: str | None
    verdict: str
    verdicts: list[str]
    seconds: float
    stored: int  #: bytes
    summary: dict[str, Any]
    findings: list[dict[str, Any]]
    cells: list[dict[str, Any]]
    block: str
    program: str | None  #: replays the first finding; None if there is none with a trace
    asymmetries: list[str]  #: why vCPUs were not merged, if that was asked for


#: The forms of output, and the field of Told that each is made of.
FORMS = {"json": "findings", "csv": "cells", "text": "block", "replay": "program"}


def told(exploration: Exploration, protocol: str, trace: str, forms: Iterable[str] = FORMS) -> Told:
    """Return what is printed of an exploration in these forms; ``protocol``: as named on the command line."""
    result, wanted = exploration.result, set(forms)
    return Told(
        result.limit,
        result.verdict,
        sorted(set(result.verdicts.values())),
        result.seconds,
        result.stored,
        _summary(exploration),
        _findings(exploration) if "json" in wanted else [],
        [cell.record() for cell in cells_of(exploration)] if "csv" in wanted else [],
        _block(exploration, trace) if "text" in wanted else "",
        _program(exploration, protocol) if "replay" in wanted else None,
        list(exploration.merging.reasons) if exploration.merging else [],
    )


def as_json(protocol: str, parts: Sequence[Told], left: Sequence[str] = (), *, timing: bool = False) -> str:
    """Return one object: the verdict, sums over the events, the findings, and each event's own numbers.

    ``left``: the events that were not explored, because the user stopped before. ``timing``: with the seconds that the
    searches took, which differ from run to run.
    """
    summaries = [{key: value for key, value in part.summary.items() if timing or key != "seconds"} for part in parts]
    states = sum(part.summary["states"] for part in parts)
    record = {
        "protocol": protocol,
        "verdict": _verdict(parts, left),
        "states": states,
        "transitions": sum(part.summary["transitions"] for part in parts),
        "depth": max((part.summary["depth"] for part in parts), default=0),
        **({"seconds": round(sum(part.seconds for part in parts), 4)} if timing else {}),
        "bytes_per_state": round(sum(part.stored for part in parts) / states, 1) if states else 0.0,
        "findings": [finding for part in parts for finding in part.findings],
        "explorations": summaries,
    }
    if left:
        record["interrupted"] = list(left)
    return records.as_indented_json(record)


def as_csv(parts: Sequence[Told], left: Iterable[Cell] = ()) -> str:
    """Return a CSV line for each event and property; ``left``: the cells of what was not explored."""
    return records.as_csv([*(cell for part in parts for cell in part.cells), *(cell.record() for cell in left)])


def as_text(explored: Explored, trace: str) -> str:
    """Return a block for each event: its numbers, its verdicts, and each finding with its trace."""
    questions = [exploration.question for exploration in explored.explorations]
    parts = [told(exploration, explored.protocol, trace, ("text",)) for exploration in explored.explorations]
    return blocks(explored.protocol, questions, parts)


def blocks(protocol: str, questions: Sequence[Question], parts: Sequence[Told], left: Sequence[str] = ()) -> str:
    """Return a block for each event; ``left``: the events that were not explored, because the user stopped before."""
    things = [thing for question in questions for thing in (question.event, *question.features)]
    found = ["\n".join([f"{protocol}: {_verdict(parts, left)}", *from_files(*things)])]
    found += [part.block for part in parts]
    if left:
        found.append(_wrapped(f"interrupted; not explored: {', '.join(left)}"))
    return "\n\n".join(found) + "\n"


def _verdict(parts: Sequence[Told], left: Sequence[str]) -> str:
    """The gravest verdict of all parts; what was not explored is BOUNDED."""
    return gravest({part.verdict for part in parts} | ({BOUNDED} if left else set()))


def replay_file(parts: Iterable[Told]) -> str:
    """Return the first finding that has a trace as a Python file; raise WorkbenchError if there is none."""
    found = next((part.program for part in parts if part.program is not None), None)
    if found is None:
        raise WorkbenchError("no finding with a trace: there is nothing to replay")
    return found


def _program(exploration: Exploration, protocol: str) -> str | None:
    found = (RecordedFinding.of(exploration, failure, protocol) for failure in exploration.failures)
    recorded = next((finding for finding in found if finding is not None), None)
    return None if recorded is None else as_program(recorded)


def _findings(exploration: Exploration) -> list[dict[str, Any]]:
    found = []
    for failure in exploration.failures:
        if exploration.result.verdicts[failure.code] == FAILS:
            rows, end = exploration.trace(failure), ending(exploration, failure)
            finding = exploration.finding(failure)
            found.append(
                {
                    "code": failure.code,
                    "name": failure.name,
                    "event": exploration.question.event.name,
                    "what": failure.what,
                    "violating_states": 0 if finding is None else finding.states,
                    "by": [one._asdict() for one in violators(exploration, failure)],
                    "sentences": [] if end is None else list(end.sentences),
                    "since": None if end is None else end.since,
                    "steps": None if rows is None else as_records(rows),
                }
            )
    return found


def _summary(exploration: Exploration) -> dict[str, Any]:
    question, result = exploration.question, exploration.result
    return {
        "event": question.event.name,
        "vcpus": question.vcpus,
        "features": [feature.name for feature in question.features],
        "updates": question.bounds.updates,
        "reads": question.bounds.reads,
        "verdict": result.verdict,
        "verdicts": result.verdicts,
        "premises": result.premises,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "seconds": round(result.seconds, 4),
        "bytes_per_state": round(result.bytes_per_state, 1),
        "deadlocks": result.deadlocks,
        "limit": result.limit,
        "engine": result.engine,
        **_merged(exploration),
    }


def _merged(exploration: Exploration) -> dict[str, Any]:
    """What symmetry merged, if it was asked for: ``stands_for`` is None if nothing was merged or it was not counted."""
    if exploration.merging is None:
        return {}
    return {"interchangeable": list(exploration.merging.cpus), "stands_for": exploration.result.stands_for}


def _block(exploration: Exploration, trace: str) -> str:
    question, result = exploration.question, exploration.result
    lines = [
        f"{question.event.name} ({question.size}): {result.verdict}",
        f"  {result.states:,} states, {result.transitions:,} transitions, depth {result.depth}",
        _wrapped(f"  {question.bounds}"),
    ]
    if exploration.merging is not None:
        lines.append(f"  {_merged_text(exploration)}")
    if result.verdict == BROKE_OFF:
        lines = [lines[0], _wrapped(f"  {result.limit}")]
    elif result.limit is not None:
        lines.append(f"  search stopped: {result.limit}; states not visited may still fail")
    if result.deadlocks:
        lines.append(f"  {result.deadlocks} states in which something waits for ever")
    lines += _verdicts(exploration)
    parts = ["\n".join(lines)]
    parts += [finding_text(exploration, f, trace) for f in exploration.failures if result.verdicts[f.code] == FAILS]
    return "\n\n".join(parts)


def _merged_text(exploration: Exploration) -> str:
    cpus, stands_for = exploration.merging.cpus if exploration.merging else (), exploration.result.stands_for
    if not cpus:
        return "no vCPUs are interchangeable: nothing is merged"
    counted = "" if stands_for is None else f", which stand for {stands_for:,}"
    return f"states up to exchange of vCPUs {', '.join(map(str, cpus))}{counted}"


def finding_text(exploration: Exploration, failure: Failure, trace: str = "diagram") -> str:
    """Return how a property fails: what violates it, the steps as ``diagram``, ``table`` or ``none``, and the end."""
    rows, end = exploration.trace(failure), ending(exploration, failure)
    if rows is None or end is None:
        return _wrapped(f"{failure.title} ({failure.code}): never happens. What must be possible: {failure.what}")
    head = _wrapped(f"{failure.title} ({failure.code}): {len(rows)} steps{_by(exploration, failure)}")
    if trace == "none":
        return f"{head}\n{ending_text(failure, end)}".rstrip()
    places = where(exploration.question.places(rows))
    body = changes_table(rows, end.since) if trace == "table" else diagram(rows, end.since) + places
    return f"{head}\n{body}{ending_text(failure, end)}".rstrip()


def _by(exploration: Exploration, failure: Failure) -> str:
    """What else violates the property, if several things do: "; also kvmclock in 29"."""
    found = sorted((one.steps, one.what) for one in violators(exploration, failure))
    return "".join(f"; also by {what} after {steps}" for steps, what in found[1:])


def _verdicts(exploration: Exploration) -> list[str]:
    """The properties that do not fail, by their verdicts."""
    verdicts = exploration.result.verdicts
    lines = []
    for verdict in VERDICTS:
        named = [failure.title for failure in exploration.failures if verdicts[failure.code] == verdict]
        if named and verdict not in (FAILS, BROKE_OFF):
            lines.append(_wrapped(f"  {verdict.lower()}: {', '.join(named)}"))
    return lines


def _wrapped(line: str) -> str:
    start = line[: len(line) - len(line.lstrip())]
    return "\n".join(wrap(ascii_only(line.lstrip()), WIDTH, initial_indent=start, subsequent_indent=start + "  "))
