"""How measurements grow with vCPUs and with features. Every point is a run; nothing is interpolated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.vcpu import MAX_VCPUS
from workbench.durable.store import Store, opened
from workbench.measure.comparison.compare import rows_of, run_keys
from workbench.measure.comparison.metrics import METRICS
from workbench.measure.comparison.runs import check_vcpus
from workbench.measure.rows import COLUMNS, Progress, Row, frame
from workbench.measure.variants import Variant, features_of

if TYPE_CHECKING:
    import pandas

#: Numbers of vCPUs that are run for a growth curve: powers of four, from 1 to the most KVM allows.
POINTS = tuple(4**power for power in range(7))
assert POINTS[-1] == MAX_VCPUS

#: Metrics with a growth curve; the others are sums or parts of these.
CURVES = ("exits", "user_exits", "areas", "state_bytes", "state_carried_bytes", "guest_memory_bytes")


def over_vcpus(
    variants: Sequence[Variant],
    features: Sequence[str | Feature] | None,
    event: Event,
    points: Iterable[int] = POINTS,
    metrics: Sequence[str] = CURVES,
    seed: int = 0,
    progress: Progress | None = None,
    state: Store | Path | str | None = None,
) -> pandas.DataFrame:
    """Return the tidy table of ``event`` for every number of vCPUs in ``points``, one run for each protocol.

    No features named (None): each design with those of its own ABI, if it has one.
    ``state``: a directory in which finished runs are kept, and used by a later call with it.
    """
    chosen = [METRICS[name] for name in metrics]
    sizes = [check_vcpus(vcpus) for vcpus in sorted(set(points)) if vcpus >= event.min_vcpus]
    runs = [(one, vcpus) for vcpus in sizes for one in variants]
    carried = {one.label: features_of(one, features) for one in variants}
    rows: list[Row] = []

    def work(number: int) -> list[Row]:
        one, vcpus = runs[number]
        return rows_of(one, carried[one.label], vcpus, event, chosen, seed)

    with opened(state) as store:
        options = [list(metrics), seed]
        keys = [run_keys(store, [(one, event)], carried, vcpus, options)[0] for one, vcpus in runs]
        for done, piece in enumerate(store.batch("points of growth", keys).each(work)):
            rows += [Row(*row) for row in piece]
            if progress is not None:
                progress(done + 1, len(runs))
    return frame(rows)


def over_features(
    variants: Sequence[Variant],
    features: Sequence[str | Feature] | None,
    vcpus: int,
    event: Event,
    metrics: Sequence[str] = CURVES,
    seed: int = 0,
) -> pandas.DataFrame:
    """Return the tidy table for the first 1, 2, ... of ``features``, with ``feature_count`` as a further column.

    No features named (None): of each design's own.
    """
    import pandas

    chosen = [METRICS[name] for name in metrics]
    tables = []
    carried = [(one, features_of(one, features)) for one in variants]
    for count in range(1, max(len(own) for _, own in carried) + 1):
        having = [(one, own[:count]) for one, own in carried if len(own) >= count]
        rows = [row for one, own in having for row in rows_of(one, own, vcpus, event, chosen, seed)]
        tables.append(frame(rows).assign(feature_count=count))
    return pandas.concat(tables, ignore_index=True)[[*COLUMNS, "feature_count"]]


def line(table: pandas.DataFrame, protocol: str, metric: str) -> tuple[int, int] | None:
    """Return (fixed, per vCPU) if the metric is a straight line through all points run, else None."""
    chosen = table[(table["protocol"] == protocol) & (table["metric"] == metric)].sort_values("vcpus")
    points = list(zip(chosen["vcpus"], chosen["value"], strict=True))
    if len(points) < 2:
        return None
    (first, at_first), (last, at_last) = points[0], points[-1]
    slope, rest = divmod(at_last - at_first, last - first)
    fixed = at_first - slope * first
    on_line = all(value == fixed + slope * vcpus for vcpus, value in points)
    return (fixed, slope) if rest == 0 and on_line else None
