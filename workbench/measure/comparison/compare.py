"""The comparison: every chosen protocol under every chosen event, as one tidy table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.durable.content import described
from workbench.durable.store import Store, opened
from workbench.errors import WorkbenchError
from workbench.lifecycle import choose as choose_events
from workbench.measure.comparison.cost import CostModel
from workbench.measure.comparison.metrics import COST, Metric
from workbench.measure.comparison.metrics import choose as choose_metrics
from workbench.measure.comparison.runs import check_event, check_vcpus, measured, possible
from workbench.measure.rows import ENGINE, Progress, Row, frame
from workbench.measure.variants import DEFAULT, Variant, features_of, features_text, variants

if TYPE_CHECKING:
    import pandas

Asked = ParamSpec("Asked")

#: In place of a value of a run that a failing program has ended.
BROKE_OFF = "broke off"


def rows_of(
    variant: Variant,
    features: tuple[Feature, ...],
    vcpus: int,
    event: Event,
    metrics: Iterable[Metric],
    seed: int = 0,
    cost_model: CostModel | None = None,
) -> list[Row]:
    """Return one row for each metric of one run, and the cost if a model is given."""
    run = measured(variant, features, vcpus, event, seed)
    last = (ENGINE, vcpus, features_text(features))
    rows = [
        Row(variant.label, event.name, metric.name, metric.read(run), metric.unit, *last)
        for metric in metrics
    ]
    if cost_model is not None:
        rows.append(Row(variant.label, event.name, COST, cost_model.cost(run), cost_model.unit, *last))
    return rows


def _broken_rows(
    variant: Variant,
    features: tuple[Feature, ...],
    vcpus: int,
    event: Event,
    metrics: Iterable[Metric],
    cost_model: CostModel | None,
) -> list[Row]:
    """The rows of a run in which a program failed: the same as of any other run, without values."""
    units = {metric.name: metric.unit for metric in metrics}
    if cost_model is not None:
        units[COST] = cost_model.unit
    last = (ENGINE, vcpus, features_text(features))
    return [Row(variant.label, event.name, name, BROKE_OFF, unit, *last) for name, unit in units.items()]


def compared(
    protocols: Sequence[str | Variant] = DEFAULT,
    events: Sequence[str | Event] | None = None,
    features: Sequence[str | Feature] | None = None,
    vcpus: int = 64,
    metrics: Sequence[str] | None = None,
    cost_model: CostModel | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    broken: list[str] | None = None,
    state: Store | Path | str | None = None,
) -> list[Row]:
    """Return the tidy comparison, one ``Row`` for each run and metric; None means all; a name may be a path.

    ``compare`` returns it as a frame; the rows alone need no pandas.

    No features named: each design with those of its own ABI, if it has one.

    Events that need more vCPUs are left out unless named. Raises WorkbenchError for an unknown name, for an impossible
    number of vCPUs, and for a program that fails; with ``broken``, such a run has BROKE_OFF in place of its values, and
    the reason is appended to ``broken``. ``state``: a directory in which finished runs are kept, and used by a later
    call with it.
    """
    check_vcpus(vcpus)
    chosen = variants(protocols)
    chosen_events = choose_events(events)
    if events is None:
        chosen_events = possible(chosen_events, vcpus)
    for event in chosen_events:
        check_event(event, vcpus)
    chosen_metrics = choose_metrics(metrics)
    carried = {one.label: features_of(one, features) for one in chosen}
    runs = [(one, event) for one in chosen for event in chosen_events]
    names = [metric.name for metric in chosen_metrics]
    rows: list[Row] = []

    def work(number: int) -> list[Row]:
        one, event = runs[number]
        try:
            return rows_of(one, carried[one.label], vcpus, event, chosen_metrics, seed, cost_model)
        except WorkbenchError as error:
            if broken is None:
                raise
            broken.append(f"{one.label} under {event.name} broke off: {error}")
            return _broken_rows(one, carried[one.label], vcpus, event, chosen_metrics, cost_model)

    with opened(state) as store:
        batch = store.batch("runs", run_keys(store, runs, carried, vcpus, [names, seed, described(cost_model)]))
        for done, piece in enumerate(batch.each(work, complete=_is_complete)):
            rows += [Row(*row) for row in piece]
            if progress is not None:
                progress(done + 1, len(runs))
    return rows


def _framed(rows: Callable[Asked, list[Row]]) -> Callable[Asked, pandas.DataFrame]:
    @wraps(rows, assigned=("__doc__", "__module__", "__annotations__"))
    def framed(*args: Asked.args, **options: Asked.kwargs) -> pandas.DataFrame:
        return frame(rows(*args, **options))

    return framed


#: The comparison as a frame with the columns of ``Row``.
compare = _framed(compared)


def _is_complete(rows: list[Row]) -> bool:
    return all(row.value != BROKE_OFF for row in rows)


def run_keys(
    store: Store, runs: Sequence[tuple[Variant, Event]], features: Mapping[str, Iterable[Feature]], vcpus: int,
    options: Any,
) -> list[Any]:  # fmt: skip
    """Return the keys of runs for ``store``; ``features``: by a label; ``options``: further data that count."""
    if store.folder is None:
        return [None] * len(runs)
    told = {label: [described(feature) for feature in carried] for label, carried in features.items()}
    return [
        [described(one.kind), one.mitigations, described(event), told[one.label], vcpus, options]
        for one, event in runs
    ]
