"""The failure matrix as text: events by properties, one letter for each verdict, 72 columns of ASCII."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from workbench.checking.failures import FAILURES
from workbench.measure.exploration.matrix import Cell, Size
from workbench.measure.exploration.mitigations import Change, Effect, Price
from workbench.measure.label import Label
from workbench.present.text.table import WIDTH, Column, Table, as_text

LETTERS = {"HOLDS": ".", "FAILS": "F", "BOUNDED": "?", "NOT EXERCISED": "-"}
NOT_ASKED = " "
LEGEND = (
    ". holds in every state   F fails   ? a limit stopped the search   "
    "- not exercised: nothing that the property is about came about in any state"
)
NAME = 30  #: columns for an event's name


def letter(cell: Cell) -> str:
    """Return the letter of a cell."""
    return LETTERS[cell.verdict]


def matrix_text(cells: Sequence[Cell], sizes: Iterable[Size]) -> str:
    """Return one block for each variant, the failures with their trace lengths, and the sizes explored."""
    blocks = [_block(label, list(chosen)) for label, chosen in groupby(cells, key=Cell.label)]
    legend = [LEGEND, "properties:"]
    codes = dict.fromkeys(cell.property for cell in cells)
    legend += [f"  {code} {FAILURES[code].name}" for code in codes]
    legend.append("sizes explored (where they have enough vCPUs for the event):")
    legend += [f"  {size}" for size in dict.fromkeys(sizes)]
    return "\n\n".join([*blocks, *_failing(cells), "\n".join(_fit(line) for line in legend)]) + "\n"


def effects_text(effects: Sequence[Effect]) -> str:
    """Return which verdicts each mitigation changes, and a table of its price."""
    told = [_told(effect) for effect in effects]
    columns = ["boot", "kexec", "state", "lost", "guest"]
    priced: dict[tuple[Label, Price], None] = {}
    for effect in effects:
        priced[Label(effect.variant.kind.name), effect.before] = None
        priced[Label.read(effect.variant.label), effect.after] = None
    table = Table(
        "price at 64 vCPUs, every feature (simulated)",
        [Column("protocol"), *(Column(name) for name in columns)],
        [[_short(label), *price] for label, price in priced],
        notes=(
            "boot, kexec: exits. state: bytes in a migration. lost: entries of it that no interface carries. "
            "guest: bytes of guest memory.",
        ),
    )
    return "\n\n".join([*told, as_text(table)])


def _block(label: Label, cells: list[Cell]) -> str:
    codes = list(dict.fromkeys(cell.property for cell in cells))
    first, above = (str(label), []) if len(str(label)) <= NAME else ("", _lines(label))
    heads = [f"{first if row == 0 else '':<{NAME}}" + " ".join(code[row] for code in codes) for row in range(3)]
    lines = []
    for event, row in groupby(cells, key=lambda cell: cell.event):
        letters = {cell.property: letter(cell) for cell in row}
        if len(event) >= NAME:  # two names joined: a line of their own
            lines.append(event)
            event = ""
        lines.append(f"{event:<{NAME}}" + " ".join(letters.get(code, NOT_ASKED) for code in codes))
    rule = "-" * min(WIDTH, NAME + 2 * len(codes) - 1)
    return "\n".join(line.rstrip() for line in (*above, *heads, rule, *lines))


def _failing(cells: Sequence[Cell]) -> list[str]:
    found = [cell for cell in cells if cell.verdict == "FAILS"]
    if not found:
        return []
    columns = [Column("event"), Column("fails"), Column("steps")]
    tables = []
    for label, chosen in groupby(found, key=Cell.label):
        rows = [[cell.event, f"{cell.property} {cell.name}", cell.steps if cell.steps else "-"] for cell in chosen]
        tables.append(as_text(Table(f"{_short(label)}: shortest traces", columns, rows)).rstrip())
    return tables


def _told(effect: Effect) -> str:
    lines = _lines(Label.read(effect.variant.label))
    for change in effect.changes:
        lines.append(
            f"  {change.event}: {change.property} {FAILURES[change.property].name} {change.before} -> {change.after}"
        )
    return "\n".join(_fit(line) for line in (lines if effect.changes else [*lines, "  changes no verdict"]))


def _short(label: Label) -> str:
    count = len(label.mitigations)
    return str(label) if count < 2 else f"{label.name}+{count} more"


def _lines(label: Label) -> list[str]:
    """Return a label as lines of at most WIDTH columns, broken between mitigations."""
    if len(str(label)) <= WIDTH:
        return [str(label)]
    return wrap(" ".join(label.pieces), WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def left_out_text(back: Mapping[str, Sequence[Change]]) -> str:
    """Return a table of the verdicts that change when one mitigation is left out, for each mitigation."""
    columns = [Column("without"), Column("event"), Column("changes")]
    rows: list[list[int | str | None]] = []
    for name, changed in back.items():
        if not changed:
            rows.append([name, "-", "no verdict"])
        for number, change in enumerate(changed):
            told = f"{change.property} {change.before} -> {change.after}"
            rows.append([name if number == 0 else "", change.event, told])
    return as_text(Table("one mitigation left out", columns, rows))


def _fit(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return "\n".join(wrap(line, WIDTH, subsequent_indent=indent, initial_indent=line[: len(line) - len(line.lstrip())]))
