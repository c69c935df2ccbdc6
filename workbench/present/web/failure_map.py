"""The failure matrix as a view: verdicts of designs under events, and the shortest trace of each cell that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from textwrap import dedent
from typing import Any

from workbench.checking.failures import FAILURES
from workbench.core.contracts.event import Event
from workbench.engines.explore import FAILS
from workbench.engines.explore.vm import Bounds
from workbench.features import choose as choose_features
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.ending import ending_of
from workbench.measure.exploration.explore import Question
from workbench.measure.exploration.matrix import Size
from workbench.measure.exploration.mitigations import Price, changes
from workbench.measure.exploration.recording import Recording, recorded
from workbench.measure.variants import Variant
from workbench.present.text.matrix import matrix_text, summary
from workbench.present.web.again import map_again, trace_again
from workbench.present.web.stepper import ENDS, NO_STEPS, trace_data
from workbench.present.web.view import View, as_json


def failure_map(
    cells: Sequence[Cell], variants: Sequence[Variant], sizes: Iterable[Size], *,
    command: str = "", prices: Mapping[str, Price] | None = None, happening: Iterable[Event] = (),
) -> View:  # fmt: skip
    """Return the view of a matrix. ``variants``: those of the cells; ``prices``: by a variant's label.

    ``happening``: the events of the cells; those that ship need not be among them.

    ``command``: the command line that gives it again, if whoever calls knows one.

    Every trace is replayed on bytes, some milliseconds each. Raises WorkbenchError if one cannot be replayed.
    """
    own = {event.name: event for event in happening}
    words, traces = Words(), Traces(variants, own)
    events = in_groups(own.get(name) or choose_event(name) for name in dict.fromkeys(cell.event for cell in cells))
    codes = list(dict.fromkeys(cell.property for cell in cells))
    by_label = {label: list(found) for label, found in groupby(cells, lambda cell: str(cell.label()))}
    designs = []
    for label, found in by_label.items():
        bare = by_label.get(found[0].protocol) if found[0].mitigations else None
        designs.append(_design(label, found, events, codes, bare, traces))
        if prices and label in prices:
            designs[-1]["price"] = _price(prices[label])
    sizes = list(sizes)
    text, again = matrix_text(cells, sizes), map_again(variants, events, sizes)
    data = {
        "title": "What fails, and where",
        "designs": designs,
        "groups": list(dict.fromkeys(event.group for event in events)),
        "events": [{"name": event.name, "group": event.group, "what": what_happens(event)} for event in events],
        "properties": [_property(code) for code in codes],
        "traces": [packed(*one, words, codes) for one in zip(traces.found, traces.again, strict=True)],
        "frame": {"ends": ENDS, "empty": NO_STEPS, "text": ""},
        "words": words.known,
        **again,
        **({"command": command} if command else {}),
        "text": text,
    }
    return View("map", data, text)


class Words:
    """The texts of all traces, each once; a trace has their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def known(self) -> list[str]:
        """All texts, by number."""
        return list(self._numbers)


class Traces:
    """The recordings of failing cells, in the order in which they are asked for."""

    def __init__(self, variants: Sequence[Variant], own: Mapping[str, Event]) -> None:
        self._variants = {variant.label: variant for variant in variants}
        self._own = own
        self.found: list[Recording] = []
        self.again: list[dict[str, Any]] = []  #: how each is asked for again

    def number(self, cell: Cell) -> int | None:
        """Record the trace of a cell and return its number; None if it has none."""
        if cell.trace is None:
            return None
        failure = FAILURES[cell.property]
        question = self._question(cell)
        end = ending_of(question, cell.trace, failure)
        self.found.append(recorded(question, cell.trace, failure, end))
        self.again.append(trace_again(question, failure))
        return len(self.found) - 1

    def _question(self, cell: Cell) -> Question:
        same = (cell.vcpus, cell.features)
        reads = next((v.reads for v in cell.violators if (v.vcpus, v.features, v.steps) == (*same, cell.steps)), 0)
        variant = self._variants[str(cell.label())]
        features = choose_features(cell.features.split(","))
        event = self._own.get(cell.event) or choose_event(cell.event)
        return Question(variant, event, features, cell.vcpus, Bounds(reads=reads))


def packed(recording: Recording, again: Mapping[str, Any], words: Words, codes: Sequence[str]) -> dict[str, Any]:
    """Return what the script draws of a recording, with numbers in place of texts."""
    data = trace_data(recording, text=False)
    assert recording.failure is not None
    return {
        "title": words(data["title"]),
        "about": words(data["about"]),
        "file": words(data["file"]),
        "command": words(again["command"]),
        "python": words(again["python"]),
        "asked": words(as_json(again["asked"])),
        "lanes": [words(lane) for lane in data["lanes"]],
        "items": [[words(item[name]) for name in ("group", "of", "name", "start")] for item in data["items"]],
        "steps": [_packed_step(step, words) for step in data["steps"]],
        "since": data["since"],
        "sentences": [words(sentence) for sentence in data["sentences"]],
        "failure": codes.index(recording.failure.code),
    }


def _packed_step(step: Mapping[str, Any], words: Words) -> list[Any]:
    return [
        step["lane"],
        words(step["side"]),
        words(step["text"]),
        step.get("goal", -1),
        words(step["whose"]) if "whose" in step else -1,
        [words(seen) for seen in step.get("seen", ())],
        [[item, words(text)] for item, text in step["changes"]],
    ]


def what_happens(event: Event) -> str:
    """Return what an event is, in a sentence or two: its title, and what its class says."""
    told = dedent(type(event).__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    return f"{event.title}. {' '.join(told.split())}" if told else f"{event.title}."


def in_groups(events: Iterable[Event]) -> list[Event]:
    """Return events with those of one group side by side; groups and events stay in order otherwise."""
    found = list(events)
    groups = list(dict.fromkeys(event.group for event in found))
    return sorted(found, key=lambda event: groups.index(event.group))


def _property(code: str) -> dict[str, str]:
    failure = FAILURES[code]
    return {"name": failure.name, "title": failure.title, "what": failure.what, "why": failure.why}


def _design(
    label: str, cells: Sequence[Cell], events: Sequence[Event], codes: Sequence[str],
    bare: Sequence[Cell] | None, traces: Traces,
) -> dict[str, Any]:  # fmt: skip
    by_place = {(cell.event, cell.property): cell for cell in cells}
    before = {(one.event, one.property): one.before for one in changes(bare, cells)} if bare else {}
    rows = [[_cell(by_place.get((event.name, code)), before, traces) for code in codes] for event in events]
    return {"label": label, "about": f"{label}: {summary(cells)}.", "cells": rows}


def _cell(cell: Cell | None, before: Mapping[tuple[str, str], str], traces: Traces) -> dict[str, Any] | None:
    if cell is None:
        return None
    found: dict[str, Any] = {"verdict": cell.verdict}
    if (cell.event, cell.property) in before:
        found["before"] = before[cell.event, cell.property]
    if cell.note:
        found["note"] = cell.note
    if cell.verdict == FAILS:
        found["by"] = list(dict.fromkeys(one.what for one in cell.violators if one.what))
        found["size"] = f"{cell.vcpus} vCPU{'s' if cell.vcpus > 1 else ''}, {cell.features}"
        found["steps"] = cell.steps
        number = traces.number(cell)
        if number is not None:
            found["trace"] = number
    return found


def _price(price: Price) -> str:
    return (
        f"{price.boot_exits} exits at boot, {price.kexec_exits} at kexec, {price.state_bytes} bytes in a migration, "
        f"{price.uncarried} entries lost, {price.guest_bytes} bytes of guest memory"
    )


__all__ = ["failure_map", "in_groups", "packed", "what_happens"]
