"""The report: one text, every table as CSV, every figure as PNG and SVG, in one directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.durable.store import NONE, Store
from workbench.lifecycle import EVENTS
from workbench.measure import compare, over_features, over_vcpus, payload_updates, state_entries
from workbench.measure.comparison.growth import POINTS
from workbench.measure.comparison.state import ledger
from workbench.measure.rows import rows_in
from workbench.present import records
from workbench.present.figures import figures, images
from workbench.present.figures.sizes import DEFAULT
from workbench.present.progress import Progress
from workbench.present.text import pairs, tables
from workbench.present.text import report as report_text

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from workbench.present.text.report import Parameters

#: Curves of the report: metric, label of the axis.
GROWTH = (("exits", "exits"), ("state_bytes", "migration state"), ("guest_memory_bytes", "guest memory"))

#: What a reader finds in each file of a report, by its name; a figure is there as PNG and as SVG.
TABLES = {
    "report.txt": "Every table, as text of 72 columns, and what is needed to make the report again.",
    "comparison.csv": "Every metric of every design in every event, one in a line.",
    "growth_vcpus.csv": f"Exits, migration state and guest memory at boot, for {POINTS[0]} to {POINTS[-1]} vCPUs.",
    "growth_features.csv": "The same for the first feature, the first two, and so on.",
    "payload_updates.csv": "How often a run of the first event updates each payload; what that is for a real host's.",
    "state_entries.csv": "What the host remembers after the first event, entry by entry, and what carries it.",
    "hidden_state.csv": "What Linux keeps besides the registers, read in its source.",
}
FIGURES = {
    "exits_by_vcpus": "Exits at boot for each vCPU, by the number of vCPUs.",
    "exits_by_features": "Exits at boot, with one feature more at each point.",
    "state_bytes_by_vcpus": "Bytes that a migration must carry for each vCPU, by the number of vCPUs.",
    "state_bytes_by_features": "Bytes that a migration must carry, with one feature more at each point.",
    "guest_memory_bytes_by_vcpus": "Guest memory that is used for sharing for each vCPU, by the number of vCPUs.",
    "guest_memory_bytes_by_features": "Guest memory that is used for sharing, with one feature more at each point.",
    "guest_memory": "What the guest's memory is used for: payloads, descriptors, padding.",
    "fates": "The worst that became of any area, in every event, under every design.",
    "exits_by_class": "Exits in every event: how many KVM handles, and how many go on to the VMM.",
}


def measure(
    parameters: Parameters, say: Progress, points: Iterable[int] = POINTS, store: Store = NONE
) -> dict[str, pandas.DataFrame]:
    """Return all tables of the report, by name; ``store`` keeps the runs."""
    variants, first = parameters.variants, parameters.events[0]
    features = parameters.features if parameters.named else None
    found = {
        "comparison": compare(
            variants,
            parameters.events,
            features,
            parameters.vcpus,
            cost_model=parameters.cost_model,
            seed=parameters.seed,
            progress=say.counting("events"),
            state=store,
        )
    }
    found["growth_vcpus"] = over_vcpus(
        variants,
        features,
        EVENTS["boot"],
        points,
        seed=parameters.seed,
        progress=say.counting("growth over vCPUs, machines"),
        state=store,
    )
    say("growth over features")
    found["growth_features"] = over_features(
        variants, features, parameters.vcpus, EVENTS["boot"], seed=parameters.seed
    )
    found["state_entries"] = state_entries(variants, features, parameters.vcpus, first, parameters.seed)
    found["payload_updates"] = payload_updates(variants, features, parameters.vcpus, first, parameters.seed)
    found["hidden_state"] = ledger(parameters.features)
    return found


def text(found: dict[str, pandas.DataFrame], parameters: Parameters) -> str:
    """Return the text of the report."""
    growth = found["growth_vcpus"]
    parts = report_text.comparison(rows_in(found["comparison"]), parameters)
    parts.append(tables.hidden_state(parameters.features))
    parts += [tables.growth_table(growth, metric) for metric, _ in GROWTH]
    for metric, _ in GROWTH:
        parts += tables.feature_growth_tables(found["growth_features"], metric)
    return report_text.as_plain_text(parts, parameters)


def pictures(
    found: dict[str, pandas.DataFrame], parameters: Parameters, size: str = DEFAULT
) -> Iterable[tuple[str, Figure]]:
    """Yield (name, figure) of every figure of the report, each drawn when it is asked for; see ``figures.sizes``."""
    growth, comparison = found["growth_vcpus"], found["comparison"]
    names = () if parameters.apart else [feature.name for feature in parameters.features]
    for metric, what in GROWTH:
        note = figures.carried(growth) if metric == "state_bytes" else ""
        yield f"{metric}_by_vcpus", figures.growth(growth, metric, what, note=note, size=size)
        yield f"{metric}_by_features", figures.feature_growth(
            found["growth_features"], metric, what, names, size=size
        )
    yield "guest_memory", figures.guest_memory(comparison, parameters.events[0].name, size=size)
    many = {event.name for event in pairs.joined(parameters.events)}  # a row for each would be metres high
    few = comparison[~comparison["event"].isin(many)]
    if len(few):
        yield "fates", figures.fates(few, size=size)
        yield "exits_by_class", figures.exits_by_class(few, size=size)


def write(
    folder: Path, found: dict[str, pandas.DataFrame], parameters: Parameters, say: Progress, size: str = DEFAULT
) -> None:
    """Write text, tables and figures (of ``size``) into ``folder``, which exists."""
    (folder / "report.txt").write_text(text(found, parameters), encoding="ascii", newline="\n")
    for name, table in found.items():
        rows = records.as_csv(records.of_frame(table), list(table.columns))
        (folder / f"{name}.csv").write_text(rows, encoding="utf-8", newline="\n")
    for name, figure in pictures(found, parameters, size):
        say(f"figure {name}")
        (folder / f"{name}.png").write_bytes(images.png(figure))
        (folder / f"{name}.svg").write_bytes(images.svg(figure))
