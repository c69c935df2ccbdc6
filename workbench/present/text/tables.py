"""Text tables made from tidy measurements: summary, events, state entry by entry, growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.outcome import Fate
from workbench.features import FEATURES, SHIPPED
from workbench.measure.comparison.cost import CostModel
from workbench.measure.comparison.growth import line
from workbench.measure.comparison.metrics import COST, GROUPS
from workbench.measure.comparison.state import EntryKind, entry_kinds, hidden_rows, state_of_run
from workbench.measure.rows import Row, rows_in
from workbench.measure.variants import Variant
from workbench.present.text.table import Cell, Column, Table
from workbench.present.text.updates import note as updates_note

if TYPE_CHECKING:
    import pandas


def summary(
    table: list[Row] | pandas.DataFrame, event: str, model: CostModel | None = None,
    features: Sequence[Feature] | None = None,
) -> Table:  # fmt: skip
    """Return all metrics of one event, the protocols side by side; lines that are 0 for all are left out.

    ``model``: the cost model of the costs in it. ``features``: those of the runs, if some are not shipped.
    """
    chosen = [row for row in rows_in(table) if row.event == event]
    protocols = list(dict.fromkeys(row.protocol for row in chosen))
    values = {(row.protocol, row.metric): row.value for row in chosen}
    units = {row.metric: row.unit for row in chosen}
    groups = [[metric.name for metric in group] for group in GROUPS.values()]
    rows: list[list[Cell]] = []
    left_out = False
    for group in (*groups, [COST]):
        lines: list[list[Cell]] = [
            [metric, units[metric].partition(" (")[0], *(values[protocol, metric] for protocol in protocols)]
            for metric in group
            if metric in units
        ]
        kept = [cells for cells in lines if any(cell != 0 for cell in cells[2:])]
        left_out = left_out or len(kept) < len(lines)
        rows += [[], *kept] if rows and kept else kept
    notes = ["Lines that are 0 for every protocol are left out."] if left_out else []
    shown = [str(cells[0]) for cells in rows if cells]
    priced = model is not None and bool(model.memory_access_cycles)
    depends = updates_note(shown, _features_of(chosen) if features is None else features, priced=priced)
    notes += [depends] if depends else []
    notes += [] if model is None else _cost_model_notes(model)
    columns = [Column("metric"), Column("unit"), *(Column("", protocol) for protocol in protocols)]
    return Table(f"Event: {event}", columns, rows, labels=2, notes=notes)


def _features_of(rows: Sequence[Row]) -> list[Feature]:
    """Return the shipped features of the runs in a tidy table."""
    told = [FEATURES if names == "all" else names.split(",") for names in dict.fromkeys(row.features for row in rows)]
    return [SHIPPED[name] for name in dict.fromkeys(name for names in told for name in names) if name in SHIPPED]


NOTES = {
    "fate": "fate: the worst that became of any area (harmless to harmful: released, unsupported, registered, "
    "refused, silent, lost, stale)",
    "exits": "exits: from the event on, boot not included; 257+1: of these, 257 are handled by KVM and 1 by the VMM",
}


def events_by_protocol(table: list[Row] | pandas.DataFrame) -> Table:
    """Return a table of the fate and the exits of each event under each protocol."""
    found = rows_in(table)
    protocols = list(dict.fromkeys(row.protocol for row in found))
    values = {(row.event, row.protocol, row.metric): row.value for row in found}
    measured = {row.metric for row in found}
    names = [name for metric, name in (("fate", "fate"), ("exits", "exits")) if metric in measured]
    rows = [
        [event, *(cell for one in protocols for cell in _what_happened(values, event, one))]
        for event in dict.fromkeys(row.event for row in found)
    ]
    columns = [Column("event"), *(Column(name, protocol) for protocol in protocols for name in names)]
    notes = ["; ".join(NOTES[name] for name in names) + "."]
    if any(Fate.ENDED.value in row for row in rows):
        notes.append("ended: its VMM could not restore the machine, which does not run any more. No fate is worse.")
    return Table("What happens in each event", columns, rows, notes=notes)


def _what_happened(values: Mapping[tuple[str, str, str], Cell], event: str, protocol: str) -> list[Cell]:
    """Return the fate, and the exits as a total or as KVM's + the VMM's; only those that were measured."""
    cells = []
    if (event, protocol, "fate") in values:
        cells.append(values[event, protocol, "fate"])
    if (event, protocol, "exits") in values:
        exits, user = values[event, protocol, "exits"], values.get((event, protocol, "user_exits"), 0)
        is_counted = isinstance(exits, int) and isinstance(user, int)
        cells.append(f"{int(exits or 0) - int(user or 0)}+{user}" if user and is_counted else exits)
    return cells


def state_table(
    variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event, seed: int = 0
) -> Table:
    """Return one protocol's state after ``event``, entry by entry; equal entries of all vCPUs share a line."""
    entries = state_of_run(variant, features, vcpus, event, seed)
    more = state_of_run(variant, features, vcpus, event, seed, values=True)
    extra = [feature.name for feature in features if feature.linux_boot is None]
    notes = [_total(entry_kinds(entries))]
    if entries:
        notes[0] += (
            " wire: in a migration stream, of KVM's registers as QEMU 7.2 frames them, of all else as the design's "
            "file says; another VMM frames differently. interface: what reads and writes it (none: nothing does). "
            "shown: a register that the guest can read shows it. moves: a migration carries it."
        )
    if more != entries:
        notes.append(f"When the guest asks for {' and '.join(extra)} too: {_total(entry_kinds(more))}")
    columns = [
        Column(name) for name in ("entry", "of", "count", "bytes", "wire", "interface", "shown", "moves")
    ]
    rows = [
        [
            kind.name,
            "VM" if kind.scope == "VM" else "vCPU",
            kind.copies,
            kind.bytes,
            kind.wire,
            kind.interface,
            "yes" if kind.architected else "no",
            "yes" if kind.carried else "no",
        ]
        for kind in entry_kinds(entries)
    ]
    return Table(f"State after {event.name}: {variant.label}", columns if rows else [], rows, notes=notes)


def _total(kinds: Sequence[EntryKind]) -> str:
    wire = sum(kind.wire * kind.copies for kind in kinds)
    each = [kind for kind in kinds if kind.scope != "VM"]
    count = {kind.copies for kind in each}
    text = f"{wire} bytes on the wire in {sum(kind.copies for kind in kinds)} entries"
    if len(count) == 1:
        text += f", {sum(kind.wire for kind in each)} bytes for each vCPU"
    return text + "."


def hidden_state(features: Sequence[Feature]) -> Table:
    """Return what Linux keeps besides the registers, and how a migration does without it (read, not measured)."""
    notes = [
        f"{entry.feature}: {entry.state}. In a migration: {entry.avoided}. ({entry.source})"
        for entry in hidden_rows(features)
    ]
    return Table("Hidden state of Linux beside the registers (read in the source)", [], [], notes=notes)


def growth_table(table: pandas.DataFrame, metric: str) -> Table:
    """Return a table of one metric by number of vCPUs, protocols side by side."""
    chosen = table[table["metric"] == metric]
    protocols = list(chosen["protocol"].unique())
    values = {(row.vcpus, row.protocol): row.value for row in chosen.itertuples()}
    rows = [
        [int(vcpus), *(values.get((vcpus, protocol)) for protocol in protocols)]
        for vcpus in sorted(chosen["vcpus"].unique())
    ]
    laws = [f"{protocol}: {_law(line(chosen, protocol, metric))}" for protocol in protocols]
    unit = chosen["unit"].iloc[0]
    columns = [Column("vCPUs"), *(Column("", protocol) for protocol in protocols)]
    return Table(
        f"{metric} by vCPUs, in {unit}",
        columns,
        rows,
        notes=["Every line is a run. " + "; ".join(laws) + "."],
    )


def _law(straight: tuple[int, int] | None) -> str:
    return "no straight line" if straight is None else f"{straight[0]} + {straight[1]} for each vCPU"


def feature_growth_tables(table: pandas.DataFrame, metric: str) -> list[Table]:
    """Return a table like :func:`feature_growth_table` for the designs of each ABI: their features are not the same."""
    orders: dict[str, list[str]] = {}
    for protocol, own in table.groupby("protocol", sort=False):
        orders.setdefault(own.sort_values("feature_count")["features"].iloc[-1], []).append(str(protocol))
    return [feature_growth_table(table[table["protocol"].isin(alike)], metric) for alike in orders.values()]


def feature_growth_table(table: pandas.DataFrame, metric: str) -> Table:
    """Return a table of one metric for the first 1, 2, ... features, of designs that carry the same ones."""
    chosen = table[table["metric"] == metric]
    protocols = list(chosen["protocol"].unique())
    values = {(row.feature_count, row.protocol): row.value for row in chosen.itertuples()}
    last = chosen.groupby("feature_count")["features"].first().to_dict()
    rows = [
        [count, _newest(last, count), *(values[count, protocol] for protocol in protocols)]
        for count in sorted(last)
    ]
    unit = chosen["unit"].iloc[0]
    columns = [Column("features"), Column("added"), *(Column("", protocol) for protocol in protocols)]
    return Table(f"{metric} by features, in {unit}", columns, rows, labels=2)


def _newest(features: dict[int, str], count: int) -> str:
    """Return the feature that was added at this count; the full list of features is written "all" in the table."""
    before = set(features.get(count - 1, "").split(","))
    now = FEATURES if features[count] == "all" else features[count].split(",")
    return ", ".join(name for name in now if name not in before)


def _cost_model_notes(model: CostModel) -> list[str]:
    """Return a note that gives a cost model's figures and their source."""
    return [
        f"Cost model {model.name}: {model.title}. Kernel exit {model.kernel_exit_cycles} cycles, user exit "
        f"{'unknown' if model.user_exit_cycles is None else f'{model.user_exit_cycles} cycles'}. "
        f"Host accesses to guest memory: "
        f"{'unknown, counted as nothing' if model.memory_access_cycles is None else model.memory_access_cycles}. "
        f"Hardware: {model.hardware}; date: {model.date}. Stands for: {model.stands_for}. "
        f"Source: {model.source}. Confidence: {model.confidence}."
    ]
