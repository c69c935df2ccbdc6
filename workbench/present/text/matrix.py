"""The failure matrix as text: events by properties, one letter for each verdict, 72 columns of ASCII."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from workbench.checking.failures import FAILURES
from workbench.engines.explore.vm import Bounds
from workbench.measure.exploration.cells import Cell, counted
from workbench.measure.exploration.matrix import Size
from workbench.measure.exploration.mitigations import Change, Effect, Price
from workbench.measure.label import Label
from workbench.present.text.table import WIDTH, Column, Table, as_text
from workbench.printable import ascii_only

LETTERS = {"HOLDS": ".", "FAILS": "F", "BOUNDED": "?", "BROKE OFF": "X", "NOT EXERCISED": "-"}
NOT_ASKED = " "
LEGEND = (
    ". holds in every state   F fails   ? a limit or the user stopped the search   X broke off, a program failed   "
    "- not exercised: what the property is about came about in no state, so nothing was shown"
)
NAME = 30  #: columns for the name of an event or a property


def letter(cell: Cell) -> str:
    """Return the letter of a cell."""
    return LETTERS[cell.verdict]


def matrix_text(cells: Sequence[Cell], sizes: Iterable[Size]) -> str:
    """Return one block for each variant, what violates the properties that fail, and the sizes explored."""
    blocks = [_block(label, list(chosen)) for label, chosen in groupby(cells, key=Cell.label)]
    legend = [LEGEND, *([summary(cells)] if len(blocks) > 1 else [])]
    legend.append("sizes explored (where they have enough vCPUs for the event):")
    legend += [f"  {size}" for size in dict.fromkeys(sizes)]
    legend.append(f"In all of them: {Bounds()}.")
    parts = [*blocks, *_failing(cells), *_stopped(cells), *meanings(cells)]
    return "\n\n".join([*parts, "\n".join(_fit(line) for line in legend)]) + "\n"


def summary(cells: Iterable[Cell]) -> str:
    """Return how many cells have each verdict: "12 cells: 3 FAILS, 9 HOLDS"."""
    count = counted(cells)
    told = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
    total = sum(count.values())
    return f"{total} cell{'s' if total != 1 else ''}: {told or 'none'}"


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
    """The table of one protocol; each property's name leads to its column."""
    codes = list(dict.fromkeys(cell.property for cell in cells))
    gap = " " if NAME + 2 * len(codes) <= WIDTH + 1 else ""
    heads = []
    for place, code in reversed(list(enumerate(codes))):
        title = f"{FAILURES[code].title} "
        lead = f"{title:-<{NAME + place * len('|' + gap)}}"
        heads.append(gap.join([lead + "+", *"|" * (len(codes) - place - 1)]))
    lines = []
    for event, row in groupby(cells, key=lambda cell: cell.event):
        letters = {cell.property: letter(cell) for cell in row}
        if len(event) >= NAME:  # two names joined: a line of their own
            lines.append(event)
            event = ""
        lines.append(f"{event:<{NAME}}" + gap.join(letters.get(code, NOT_ASKED) for code in codes))
    rule = "-" * min(WIDTH, len(heads[0]))
    return "\n".join(line.rstrip() for line in (*_lines(label), summary(cells), "", *heads, rule, *lines))


def _failing(cells: Sequence[Cell]) -> list[str]:
    """For each protocol: what violates each property that fails, at which size, after how many steps."""
    blocks = []
    for label, chosen in groupby(cells, key=Cell.label):
        failing = [cell for cell in chosen if cell.verdict == "FAILS"]
        title = f"{_short(label)}: what fails, by which feature, and the shortest traces"
        rows: list[tuple[str, ...]] = [("fails", "by", "vCPUs", "steps")]
        for event, row in groupby(failing, key=lambda cell: cell.event):
            rows.append((event,))
            rows += [line for cell in row for line in _violations(cell)]
        if failing:
            blocks.append("\n".join([title, "-" * len(title), *_aligned(rows)]))
    return blocks


def _violations(cell: Cell) -> list[tuple[str, ...]]:
    """The rows of one cell: a feature that violates it at several sizes has one for each number of vCPUs."""
    said = FAILURES[cell.property].failing
    least: dict[tuple[str, int], int] = {}
    for one in cell.violators:
        key = (one.what or "-", one.vcpus)
        least[key] = min(one.steps, least.get(key, one.steps))
    if not least:
        return [(said, "-", str(cell.vcpus), str(cell.steps or "-"))]
    found = [(what, str(vcpus), str(steps)) for (what, vcpus), steps in least.items()]
    return [("" if number else said, *one) for number, one in enumerate(found)]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of four as columns, each as wide as its longest; a row of one is a heading over those that follow."""
    said, what, *_ = (max(map(len, column)) for column in zip(*(row for row in rows if len(row) > 1), strict=True))
    return [
        row[0] if len(row) == 1 else f"  {row[0]:<{said}}  {row[1]:<{what}} {row[2]:>6} {row[3]:>6}" for row in rows
    ]


def _stopped(cells: Sequence[Cell]) -> list[str]:
    """The searches that did not see all states, and why."""
    notes: dict[str, None] = {}
    for cell in cells:
        if cell.note:
            notes[f"{_short(cell.label())} under {cell.event}: {cell.note}"] = None
    lines = [_fit(f"  {ascii_only(note)}") for note in notes]
    return ["\n".join(["Not all states were seen:", *lines])] if lines else []


def meanings(cells: Sequence[Cell]) -> list[str]:
    """A sentence for each property that fails anywhere."""
    codes = sorted({cell.property for cell in cells if cell.verdict == "FAILS"})
    told = (FAILURES[code] for code in codes)
    lines = [_fit(f"  {failure.title} ({failure.code}): {failure.what}") for failure in told]
    return ["\n".join(["What fails means:", *lines])] if lines else []


def _told(effect: Effect) -> str:
    lines = _lines(Label.read(effect.variant.label))
    lines += [f"  {change.event}: {_changed(change)}" for change in effect.changes]
    return "\n".join(_fit(line) for line in (lines if effect.changes else [*lines, "  changes no verdict"]))


def _changed(change: Change) -> str:
    return f"{FAILURES[change.property].title} {change.before} -> {change.after}"


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
    lines = ["one mitigation left out", "-----------------------"]
    for name, changed in back.items():
        lines.append(f"without {name}:" if changed else f"without {name}: no verdict changes")
        lines += [_fit(f"  {change.event}: {_changed(change)}") for change in changed]
    return "\n".join(lines) + "\n"


def _fit(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return "\n".join(wrap(line.lstrip(), WIDTH, subsequent_indent=indent, initial_indent=indent[2:]))
