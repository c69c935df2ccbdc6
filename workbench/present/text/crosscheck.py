"""Results of explorer and SPIN side by side, as a text table."""

from __future__ import annotations

from collections.abc import Sequence

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
    return rows_text([row(compared) for compared in found], len(found[0].failures)) if found else ""


def rows_text(rows: Sequence[Sequence[Cell]], asked: int) -> str:
    """Return the table of these rows, each from :func:`row`; ``asked`` is the number of properties of each."""
    equal = sum(cells[-1] == _EQUAL for cells in rows)
    notes = (
        f"{equal} of {len(rows)} models are equal: states, transitions, and of each of {asked} properties the verdict "
        "and the number of states that violate it (or, of what must be possible, have it).",
    )
    return as_text(Table("Explorer and SPIN", _COLUMNS, rows, labels=2, notes=notes))


def row(compared: Compared) -> list[Cell]:
    """Return the results of explorer and SPIN for one model, as cells of plain numbers and text."""
    question, opinion = compared.question, compared.opinion
    ours, spins = (" ".join(codes) or "none" for codes in compared.failing())
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
