"""Results of explorer and SPIN side by side, as a text table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.checking.failures import FAILURES
from workbench.measure.exploration.crosscheck import Compared
from workbench.present.text.table import Cell, Column, Table, as_text

_COLUMNS = (
    Column("protocol"),
    Column("event"),
    Column("vCPUs", "size"),
    Column("features", "size"),
    Column("ours", "states"),
    Column("SPIN", "states"),
    Column("ours", "transitions"),
    Column("SPIN", "transitions"),
    Column("ours", "properties that fail"),
    Column("SPIN", "properties that fail"),
    Column("equal"),
)
_EQUAL = "yes"


def crosscheck_text(found: Sequence[Compared]) -> str:
    """Return a table with a row for each model, and how many models are equal in everything."""
    named = [note for compared in found for note in _failing(compared)]
    return rows_text([row(compared) for compared in found], len(found[0].failures), named) if found else ""


def _failing(compared: Compared) -> Iterator[str]:
    """Yield what fails in one model, for the explorer and, if SPIN says otherwise, for SPIN."""
    ours, spins = (", ".join(FAILURES[code].title for code in codes) or "nothing" for codes in compared.failing())
    model = f"{compared.question.variant.label} under {compared.question.event.name}"
    if ours != spins:
        yield f"{model}: to the explorer, {ours} fails; to SPIN, {spins}."
    elif ours != "nothing":
        yield f"{model} fails: {ours}."


def rows_text(rows: Sequence[Sequence[Cell]], asked: int, notes: Sequence[str] = ()) -> str:
    """Return the table of these rows, each from :func:`row`; ``asked`` is the number of properties of each."""
    equal = sum(cells[-1] == _EQUAL for cells in rows)
    counts = (
        f"{equal} of {len(rows)} models are equal: states, transitions, and of each of {asked} properties the verdict "
        "and the number of states that violate it (or, of what must be possible, have it).",
    )
    return as_text(Table("Explorer and SPIN", _COLUMNS, rows, labels=2, notes=(*notes, *counts)))


def row(compared: Compared) -> list[Cell]:
    """Return the results of explorer and SPIN for one model, as cells of plain numbers and text."""
    question, opinion = compared.question, compared.opinion
    ours, spins = map(len, compared.failing())
    read = " (read)" if question.bounds.reads else ""
    return [
        question.variant.label,
        question.event.name,
        question.vcpus,
        "+".join(feature.name for feature in question.features) + read,
        opinion.states,
        opinion.spin_states,
        opinion.transitions,
        opinion.spin_transitions,
        ours,
        spins,
        _EQUAL if compared.equal else "NO",
    ]
