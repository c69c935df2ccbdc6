"""What it takes to repair the designs: all their mitigations together, what still fails then, and what they cost."""

from __future__ import annotations

from dataclasses import replace

from workbench.checking.failures import FAILURES
from workbench.errors import WorkbenchError
from workbench.measure.exploration.mitigations import mitigated
from workbench.measure.likeness.checklist import YES, likeness
from workbench.measure.variants import Variant
from workbench.present.post.asked import Asked
from workbench.present.post.chart import LONGEST_NAME
from workbench.present.post.lines import wrapped
from workbench.present.post.section import Section
from workbench.present.text.table import Cell, Column, Table, as_text

STATE = ("state_bytes", "state_carried_bytes", "state_new_interfaces")


def section(asked: Asked, words: str) -> Section:
    """Return a table of the designs as they are and with all their repairs, and what each repair is."""
    plain = [one for one in asked.variants if not one.mitigations]
    better = mitigated(plain, ["all"])
    if not better:
        raise WorkbenchError("these designs have no mitigations; leave out the part repairs")
    both = replace(asked, variants=tuple(better), named=tuple(one.label for one in better))
    rows, told, left = [], [], []
    for one in plain:
        rows.append(_row(asked, one, one.label[:LONGEST_NAME]))
        for repaired in (other for other in better if other.kind is one.kind):
            name = f"{one.label} with {len(repaired.mitigations)} repairs"
            rows.append(_row(both, repaired, f"  with {len(repaired.mitigations)} repairs"))
            told.append(
                f"Of {one.label} {rows[-2][1]} properties fail, and {asked.events[0].name} takes {rows[-2][3]} exits; "
                f"with {len(repaired.mitigations)} repairs {rows[-1][1]} and {rows[-1][3]}."
            )
            still = [FAILURES[code].failing for code in _failing(both, repaired)]
            left.append(f"{name}: {', '.join(still) or 'none'}")
    columns = [Column(name) for name in ("design", "fail", "hardware", "exits", "bytes", "carried", "new")]
    table = Table("As they are, and with all repairs", columns, rows, notes=[
        "fail: properties that fail in these events. hardware: points of the checklist of workbench hardware. exits, "
        f"bytes: of {asked.events[0].name}, {asked.vcpus} vCPUs. carried: of the bytes, by interfaces that exist or "
        "are new. new: interfaces that have to be made.",
        f"What fails with the repairs: {'; '.join(left)}.",
        "R1, R2 ...: the clause of the design's specification (workbench list) that a repair changes.",
    ])  # fmt: skip
    short = _short(plain[0].label, rows[1]) if better[0].kind is plain[0].kind else ""
    return Section(
        "What repairs would change", " ".join(told), [as_text(table), *map(_repairs, better)],
        [(*pieces, "--mitigations all") for pieces in asked.matrix_commands()], short=short,
    )  # fmt: skip


def _short(label: str, row: list[Cell]) -> str:
    """Return a design with its repairs in a few words."""
    name, fail, _, exits, *_, new = row
    interfaces = f"{new} new interface{'' if new == 1 else 's'}"
    failing = f"{fail} propert{'y fails' if fail == 1 else 'ies fail'}"
    return f"{label} {str(name).strip()}: {exits} exits, {interfaces}, {failing}."


def _failing(asked: Asked, one: Variant) -> list[str]:
    return sorted({cell.property for cell in asked.cells if cell.verdict == "FAILS" and str(cell.label()) == one.label})


def _row(asked: Asked, one: Variant, name: str) -> list[Cell]:
    first = asked.events[0].name
    value = {row.metric: int(row.value) for row in asked.table.itertuples()
             if (row.protocol, row.event) == (one.label, first) and row.metric in ("exits", *STATE)}  # fmt: skip
    points = likeness(one, asked.of(one)).values()
    like = f"{sum(point.word == YES for point in points)} of {len(points)}"
    return [name, len(_failing(asked, one)), like, value["exits"], *(value[metric] for metric in STATE)]


def _repairs(one: Variant) -> str:
    known = one.kind.mitigations_known
    lines = [wrapped(f"  {name}: {known[name]}", "    ") for name in one.mitigations]
    return f"{one.kind.name}:\n{''.join(lines)}"
