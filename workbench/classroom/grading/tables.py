"""The results of a class as text of 72 columns, Markdown, JSON and CSV; times only if they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from workbench.classroom.grading.judge import NONE, PASS
from workbench.classroom.grading.results import (
    Result,
    Summary,
    exercises,
    points_of,
    record,
    students,
    summaries,
)
from workbench.present import records
from workbench.present.text.table import WIDTH, Cell, Column, Table, as_markdown, as_text
from workbench.printable import ascii_only

_NOTHING = "-"


def rendered(found: Sequence[Result], form: str, *, times: bool = False) -> str:
    """Return the results in one of the formats text, markdown, json and csv."""
    if form == "json":
        return _as_json(found, times)
    if form == "csv":
        return records.as_csv(_for_a_sheet(record(one, times=times)) for one in found)
    if form == "markdown":
        return "\n".join(map(as_markdown, [_points(found), _of_class(found), _all(found, times)]))
    tables = [as_text(_points(found)), as_text(_of_class(found))]
    return "\n".join([*tables, "\n".join(_each(found, times))])


def _as_json(found: Sequence[Result], times: bool) -> str:
    results = [record(one, times=times) | {"trace": one.row.trace or None} for one in found]
    whole = [{"student": name, "points": points_of(found, name)} for name in students(found)]
    of_class = [
        {
            "exercise": one.exercise.name,
            "number": one.exercise.number,
            "points": one.exercise.points,
            "passed": one.passed,
            "handed_in": one.handed_in,
            "commonest": one.commonest or None,
            "times": one.times,
        }
        for one in summaries(found)
    ]
    return records.as_indented_json({"students": whole, "exercises": of_class, "results": results})


def _for_a_sheet(one: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before a text that a spreadsheet would take for a formula: students choose names of files."""
    return {
        name: f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@")) else text
        for name, text in one.items()
    }


def _points(found: Sequence[Result]) -> Table:
    asked = exercises(found)
    by = {(one.student, one.exercise.name): one.row for one in found if one.exercise}
    rows: list[list[Cell]] = []
    for student in students(found):
        own = [by.get((student, exercise.name)) for exercise in asked]
        cells: list[Cell] = [_NOTHING if row is None or row.verdict == NONE else row.points for row in own]
        rows.append([student, points_of(found, student), *cells])
    columns = [Column("student"), Column("points"), *(Column(str(exercise.number), "") for exercise in asked)]
    of = sum(exercise.points for exercise in asked)
    who = "1 student" if len(rows) == 1 else f"{len(rows)} students"
    notes = [f"{who}, at most {of} points each; -: no answer, or not handed in."]
    return Table("points", columns, rows, labels=2, notes=notes)


def _of_class(found: Sequence[Result]) -> Table:
    columns = [Column(name) for name in ("no.", "exercise", "points", "pass", "of")]
    of = summaries(found)
    rows: list[list[Cell]] = [
        [one.exercise.number, one.exercise.name, one.exercise.points, one.passed, one.handed_in] for one in of
    ]
    return Table("exercises", columns, rows, labels=2, notes=[_commonest(one) for one in of if one.times])


def _commonest(one: Summary) -> str:
    return f"{one.exercise.name}, most often ({one.times} of {one.handed_in - one.passed}): {one.commonest}"


def _all(found: Sequence[Result], times: bool) -> Table:
    columns = [Column(name) for name in ("student", "exercise", "result", "points", "what its run showed", "ran")]
    rows: list[list[Cell]] = [
        [one.student, _called(one), one.row.verdict, one.row.points, one.said, one.row.ran or _NOTHING] for one in found
    ]
    if times:
        columns.append(Column("seconds"))
        rows = [[*row, f"{one.row.seconds:.1f}"] for row, one in zip(rows, found, strict=True)]
    return Table("results", columns, rows)


def _each(found: Sequence[Result], times: bool) -> Iterator[str]:
    """Yield the lines about every result, by student."""
    yield from ("results", "-" * len("results"))
    for student in students(found):
        yield from ("", f"{ascii_only(student)}: {points_of(found, student)} points")
        for one in (one for one in found if one.student == student):
            took = f"  {one.row.seconds:.1f} s" if times else ""
            of = f"{one.row.points} of {one.exercise.points}" if one.exercise else ""
            yield f"  {one.row.verdict:<9}  {_called(one):<24}  {of}{took}".rstrip()
            if one.row.verdict != PASS:
                yield from _indented(one.said)
                if one.row.ran:
                    yield from _indented(f"ran: {one.row.ran}")
    yield ""


def _called(one: Result) -> str:
    return one.exercise.name if one.exercise else ascii_only(one.notebook)


def _indented(text: str) -> list[str]:
    room = " " * 13
    return wrap(ascii_only(text), WIDTH, initial_indent=room, subsequent_indent=room, break_on_hyphens=False)
