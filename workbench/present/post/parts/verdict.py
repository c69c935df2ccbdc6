"""A verdict line for each design and property: what is checked, and where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from workbench.checking.failures import FAILURES
from workbench.measure.exploration.cells import Cell
from workbench.present.post.asked import Asked
from workbench.present.post.section import FAIL, PASS, SKIP, XFAIL, XPASS, Check, Section, check_lines, summary_line


def section(asked: Asked, words: str) -> Section:
    """Return the lines; the summary stands at the end of the part."""
    checks = []
    for label, chosen in groupby(asked.cells, key=Cell.label):
        of_property: dict[str, list[Cell]] = {}
        for cell in chosen:
            of_property.setdefault(cell.property, []).append(cell)
        checks += [_check(str(label), cells, asked.known) for cells in of_property.values()]
    return Section(
        "Verdicts",
        f"{sum(check.status in (FAIL, XFAIL) for check in checks)} of {len(checks)} checks fail.",
        ["".join(f"{line}\n" for line in (*check_lines(checks), summary_line(checks)))],
        asked.matrix_commands(),
        checks,
    )


def _check(label: str, cells: Sequence[Cell], known: frozenset[str]) -> Check:
    """Return the line of one property, of all events: it passes if it holds wherever it is exercised."""
    name = f"{label}: {FAILURES[cells[0].property].name}"
    failing = [cell for cell in cells if cell.verdict == "FAILS"]
    is_known = cells[0].property in known
    if failing:
        worst = min(failing, key=lambda cell: (cell.steps or 0, cell.event))
        steps = f", {worst.steps} steps" if worst.steps else ""
        more = f"; {len(failing) - 1} more" if len(failing) > 1 else ""
        return Check(XFAIL if is_known else FAIL, name, f"{worst.event}{steps}{more}")
    broken = [cell for cell in cells if cell.verdict == "BROKE OFF"]
    if broken:
        return Check(FAIL, name, f"{broken[0].event}: a program failed and broke off the search")
    open_ended = [cell for cell in cells if cell.verdict == "BOUNDED"]
    if open_ended:
        return Check(SKIP, name, f"{open_ended[0].event}: not all states were seen")
    if all(cell.verdict == "NOT EXERCISED" for cell in cells):
        return Check(SKIP, name, "not exercised")
    return Check(XPASS if is_known else PASS, name)
