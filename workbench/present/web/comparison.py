"""The comparison as a view: one table of runs, computed once, from which every setting is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.own_files import named
from workbench.lifecycle import choose as choose_events
from workbench.measure.comparison import cost
from workbench.measure.comparison.runs import Measured, check_vcpus, measured
from workbench.measure.variants import DEFAULT, Variant, features_of, variants
from workbench.present.figures.style import LOOKS, looks
from workbench.present.text.table import Column, Table, as_text
from workbench.present.web.again import name_of
from workbench.present.web.failure_map import in_groups, what_happens
from workbench.present.web.view import View

#: The machines that are run; other numbers of vCPUs are on the line through 2 and 3, which the last one tests.
POINTS = (1, 2, 3, 64)
#: What is kept of a run.
COLUMNS = ("kernel_exits", "user_exits", "accesses", "carried", "uncarried", "lost_entries", "guest_bytes", "fate")
#: What the heat map can show: a title, a unit, and the columns that are added up.
METRICS = {
    "exits": {"title": "exits", "unit": "exits", "columns": ["kernel_exits", "user_exits"]},
    "user_exits": {"title": "exits to the VMM", "unit": "exits", "columns": ["user_exits"]},
    "state": {"title": "state afterwards", "unit": "bytes", "columns": ["carried", "uncarried"]},
    "lost_entries": {"title": "state that is lost", "unit": "entries", "columns": ["lost_entries"]},
    "guest_bytes": {"title": "guest memory", "unit": "bytes", "columns": ["guest_bytes"]},
    "cycles": {"title": "cost of the exits", "unit": "cycles by the cost model", "columns": ["cycles"]},
    "fate": {"title": "fate", "unit": "the worst that became of any area", "columns": [], "word": True},
}
#: The features with which each design runs, by its label.
Carried = dict[str, tuple[Feature, ...]]
#: What a fate says, in a few words.
FATES = {
    "released": "nothing is registered any more",
    "unsupported": "the design cannot express this",
    "registered": "guest and host agree, and payloads arrive",
    "refused": "the guest was refused, and knows it",
    "silent": "the host accepted, and nothing arrives",
    "lost": "the guest believes in an area that the host no longer serves",
    "ended": "the machine does not run any more: its VMM could not restore it",
    "stale": "the host writes to memory that is no longer this area",
}


def comparison(
    protocols: Sequence[str | Variant] = DEFAULT, events: Sequence[str | Event] | None = None,
    features: Sequence[str | Feature] | None = None, *, vcpus: int = 64, event: str = "boot", each_feature: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> View:  # fmt: skip
    """Return the view of designs under events; ``vcpus`` and ``event`` are those shown first.

    ``each_feature``: every feature by itself can be chosen too, which takes a run of each.

    Raises WorkbenchError for an unknown name, and for a program that fails.
    """
    check_vcpus(vcpus)
    chosen, happening = variants(protocols), in_groups(choose_events(events))
    carried: Carried = {one.label: features_of(one, features) for one in chosen}
    wanted = tuple({one.name: one for own in carried.values() for one in own}.values())
    alone: list[tuple[str, Carried]] = [(one.name, dict.fromkeys(carried, (one,))) for one in wanted]
    apart = len({tuple(one.name for one in own) for own in carried.values()}) > 1
    together = [("features of each design" if apart else "all features", carried)] if len(wanted) > 1 else []
    sets: list[tuple[str, Carried]] = [*together, *(alone if each_feature or not together else [])]
    runs, straight = _runs(chosen, happening, [own for _, own in sets], progress)
    names = [one.name for one in happening]
    models = [_model(cost.load(name)) for name in cost.known()]
    models.sort(key=lambda model: model["user"] is None)  # first those that know what an exit to the VMM costs
    if event not in names:
        event = names[0]
    number = {label: LOOKS.index(look) for label, look in looks(variant.label for variant in chosen).items()}
    data = {
        "title": "What it costs, and what becomes of it",
        "designs": [variant.label for variant in chosen],
        "colours": [number[variant.label] for variant in chosen],
        "events": [{"name": one.name, "group": one.group, "what": what_happens(one)} for one in happening],
        "features": [name for name, _ in sets],
        "asked": {
            "designs": [name_of(variant) for variant in chosen],
            "events": {one.name: named(one) for one in happening},
            "features": [named(next(iter(own.values()))[0]) for _, own in sets],
            "all": [] if apart else [named(one) for one in wanted],
        },
        "points": POINTS,
        "columns": COLUMNS,
        "runs": runs,
        "straight": straight,
        "metrics": METRICS,
        "fates": FATES,
        "models": models,
        "event": event,
        "vcpus": vcpus,
    }
    return View("compare", data, _text(chosen, happening, carried, vcpus))


def _runs(
    chosen: Sequence[Variant], events: Sequence[Event], sets: Sequence[Carried],
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, list[Any]], dict[str, bool]]:  # fmt: skip
    """Return the numbers of every run by "design event set", and whether they lie on one line from 2 vCPUs on."""
    runs: dict[str, list[Any]] = {}
    straight: dict[str, bool] = {}
    everything = list(product(chosen, events, enumerate(sets)))
    for done, (variant, event, (number, features)) in enumerate(everything):
        name = f"{variant.label} {event.name} {number}"
        runs[name] = [_numbers(variant, features[variant.label], points, event) for points in POINTS]
        straight[name] = _on_a_line(runs[name])
        if progress is not None:
            progress(done + 1, len(everything))
    return runs, straight


def _numbers(variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event) -> list[Any] | None:
    if vcpus < event.min_vcpus:
        return None
    return list(_read(measured(variant, features, vcpus, event)))


def _read(run: Measured) -> Iterator[int | str]:
    """Yield what COLUMNS names."""
    use = run.guest_memory
    yield run.counts["kernel_exits"]
    yield run.counts["user_exits"]
    yield run.counts["host_loads"] + run.counts["host_stores"]
    yield sum(entry.wire_bytes for entry in run.state if entry.carried)
    yield sum(entry.wire_bytes for entry in run.state if not entry.carried)
    yield sum(not entry.carried for entry in run.state)
    yield use.descriptors + use.payloads + use.padding
    yield run.fate.value


def _on_a_line(runs: Sequence[list[Any] | None]) -> bool:
    """Tell whether the run of the most vCPUs is where the runs of two and three say."""
    _, two, three, most = runs
    if two is None or three is None or most is None:
        return False
    far = POINTS[-1] - 2
    numbers = zip(two, three, most, strict=True)
    return all(m == a + (b - a) * far if isinstance(m, int) else m == b for a, b, m in numbers)


def _model(model: cost.CostModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": f"{model.name} ({model.title})",
        "kernel": model.kernel_exit_cycles,
        "user": model.user_exit_cycles,
        "access": model.memory_access_cycles,
        "source": model.source,
        "stands_for": model.stands_for,
    }


def _text(chosen: Sequence[Variant], events: Sequence[Event], carried: Carried, vcpus: int) -> str:
    """Return the exits and fates of every event that can happen to the machine that is asked for, as a table."""
    rows: list[list[str | int | None]] = []
    for event in (one for one in events if vcpus >= one.min_vcpus):
        for variant in chosen:
            run = measured(variant, carried[variant.label], vcpus, event)
            exits, user = run.counts["exits"], run.counts["user_exits"]
            rows.append([event.name, variant.label, exits, user, sum(e.wire_bytes for e in run.state), run.fate.value])
    heads = [Column(name) for name in ("event", "protocol", "exits", "to VMM", "state", "fate")]
    note = "state: bytes that the host holds afterwards."
    title = f"{vcpus} vCPU{'' if vcpus == 1 else 's'} (simulated)"
    return as_text(Table(title, heads, rows, notes=(note,)))


__all__ = ["comparison"]
