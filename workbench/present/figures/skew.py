"""Version skew as a table of words: combinations of guest, kernel and VMM by protocols, the worse the darker."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from workbench.errors import WorkbenchError
from workbench.measure.skew.combinations import PARTS
from workbench.measure.skew.table import Cell, Row, bad_share, by_the_rules, cells
from workbench.present.figures.grid import Box, Grid
from workbench.present.figures.sheet import SMALL, SOURCE, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import SKEW_TONES, TONES
from workbench.present.figures.words import NAMED, compared

NAMES = (
    "old: knows nothing of it; new: registers if CPUID offers it; blind: registers in any case; revoked, crashed: new, "
    "then followed by an old kernel; ignore: ignore_msrs=1; type: knows the call, not the type; hidden, claimed: CPUID "
    "offers less, or more, than is known; enforced: what is hidden does not exist; short, long: the payload without "
    "and with its newest field."
)


def skew(table: Sequence[Row], *, size: str = DEFAULT) -> Figure:
    """Return combinations (rows) by protocols (columns); each cell is the worst verdict, and of how many features.

    Neighbours that go alike with every protocol are one row, named by the first and the number of the others. Raises
    WorkbenchError for no rows.
    """
    if not table:
        raise WorkbenchError("a table of version skew without rows has no picture; choose at least one part")
    several = cells(table)
    protocols = list(dict.fromkeys(row.protocol for row in table))
    sheet = Sheet(
        size, _answer(table, protocols),
        f"guest/kernel/VMM; {_machine(table)}; the worst verdict of any feature, each tried alone",
    )  # fmt: skip
    shown = {part: _merged(several, part, protocols) for part in dict.fromkeys(row.part for row in table)}
    names = [name for rows in shown.values() for name, _ in rows]
    words = {cell.short for _, own in _all(shown) for cell in own}
    grid = Grid(sheet, names, (9 * sheet.em, 1.5 * sheet.em), len(protocols), words)
    grid.columns(protocols)
    for part, rows in shown.items():
        grid.group(PARTS[part][0])
        for name, own in rows:
            grid.row(name, [_box(cell) for cell in own])
    sheet.y += 0.5 * sheet.em
    sheet.paragraph(NAMES, SMALL)
    return sheet.done(f"{SOURCE}; darker is worse")


def _answer(table: Sequence[Row], protocols: Sequence[str]) -> str:
    """Return the title: where everybody keeps the rules of CPUID, or of all runs if there are no such."""
    ruled = by_the_rules(table)
    shares = {one: bad_share(ruled or table, one) for one in protocols}
    percent = {one: 100 * bad // max(of, 1) for one, (bad, of) in shares.items()}
    said = ", though CPUID is heeded" if ruled else ""
    return f"Runs in which an area is lost, or worse{said}: {compared(percent, '%')}"


def _machine(table: Sequence[Row]) -> str:
    vcpus, features = table[0].vcpus, list(dict.fromkeys(row.feature for row in table))
    told = f"{len(features)} features" if len(features) > NAMED else ", ".join(features)
    return f"{vcpus} vCPU{'s' if vcpus > 1 else ''}, {told}"


def _all(shown: dict[str, list[tuple[str, list[Cell]]]]) -> list[tuple[str, list[Cell]]]:
    return [row for rows in shown.values() for row in rows]


def _merged(
    several: dict[tuple[str, str, str], Cell], part: str, protocols: Sequence[str]
) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a part: (name, cells); neighbours with the same words are one."""
    found: list[tuple[list[str], list[Cell]]] = []
    for name in dict.fromkeys(name for one, name, _ in several if one == part):
        own = [several[part, name, one] for one in protocols]
        if found and [cell.short for cell in found[-1][1]] == [cell.short for cell in own]:
            found[-1][0].append(name)
        else:
            found.append(([name], own))
    return [(names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else ""), own) for names, own in found]


def _box(cell: Cell) -> Box:
    tone = TONES[SKEW_TONES[cell.verdict]]
    return Box(tone.fill, ink=tone.ink, text=cell.short, edge="#ffffff")
