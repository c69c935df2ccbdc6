"""Which pairs of events are worth exploring: those that do to a design what neither of the two does alone.

All pairs are too many to explore, and most add nothing: what a design does in the second event does not depend on the
first. The simulator runs every pair in seconds, and a pair is *surprising* in one of these ways (docs/decisions/0008):

* an area ends as it does after neither event alone: lost after a suspend and a migration, say;
* the host writes memory of another owner, and does so after neither event alone;
* an entry of registration state is there after the pair and after neither event alone, or gone after the pair only;
* the first event leaves entries that a boot does not leave, and the second moves the machine, resets a vCPU or starts
  another kernel: what becomes of those entries is seen in no event alone.

Of the pairs that surprise in the same way, the first in the catalogue's order is chosen, and explored with the vCPUs
and the feature in which the surprise shows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Init, NewHost, in_order
from workbench.core.host_state import DERIVED, VM, Key
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, Composed
from workbench.measure.exploration.matrix import Size
from workbench.measure.on_kvm.runs import naming
from workbench.measure.variants import Variant

#: The machine on which pairs are simulated: the smallest in which vCPUs differ.
VCPUS = 2

Area = tuple[int, str]


class Outcome(NamedTuple):
    """How a simulated event ended: each area's fate, host writes to others' memory, the entries that the host holds."""

    fates: dict[Area, Fate]
    strays: int
    held: frozenset[Key]


class Surprise(NamedTuple):
    """One way in which a pair differs from its parts; equal ways are equal values, whichever area shows them."""

    way: tuple[Hashable, ...]
    area: Area | None  #: where it shows, if in one area
    why: str


class Chosen(NamedTuple):
    """A pair to explore, the size at which it is explored, and why; ``alike``: how many surprise in these ways."""

    event: Event
    size: Size
    why: tuple[str, ...]
    alike: int


def outcome(variant: Variant, features: tuple[Feature, ...], event: Event) -> Outcome:
    """Simulate one event; raise WorkbenchError that names protocol and event if a program raises an exception."""
    what_happens: Any = event  # the engine asks for a plain attribute where events have a class variable
    with naming(variant, event):
        run = simulate(Scenario(variant.protocol(features), features, vcpus=VCPUS), what_happens)
    held = (key for key in run.machine.entries if isinstance(key, Key) and key.kind not in DERIVED)
    return Outcome(run.fates, run.strays, frozenset(held))


class Pairs:
    """The pairs of one protocol; outcomes of events alone are kept."""

    def __init__(self, variant: Variant, features: Sequence[str | Feature] | None = None) -> None:
        self.variant = variant
        self.features = choose_features(features)
        self._alone: dict[Event, Outcome] = {}

    def alone(self, event: Event) -> Outcome:
        """Return how one event ends by itself."""
        if event not in self._alone:
            self._alone[event] = outcome(self.variant, self.features, event)
        return self._alone[event]

    def surprises(self, pair: Composed) -> list[Surprise]:
        """Return the ways in which ``pair`` ends as its two parts alone do not."""
        first, second = (self.alone(part) for part in pair.parts)
        both = outcome(self.variant, self.features, pair)
        found = []
        for area, fate in both.fates.items():
            before = first.fates[area], second.fates[area]
            if fate not in before:
                words = [one.value for one in (*before, fate)]
                why = f"{area[1]} of {_owner(area[0])} ends {words[2]}; alone: {words[0]}, {words[1]}"
                found.append(Surprise(("fate", *words), area, why))
        if both.strays and not first.strays and not second.strays:
            found.append(Surprise(("stray",), None, "the host writes memory of another owner; alone: it does not"))
        for what, keys in (
            ("is kept", both.held - first.held - second.held), ("is gone", (first.held & second.held) - both.held)
        ):  # fmt: skip
            for kind in sorted({key.kind for key in keys}):
                found.append(Surprise((what, kind), None, f"a {kind} entry {what}; alone: it is not"))
        return found + self._carried(pair, first)

    def _carried(self, pair: Composed, first: Outcome) -> list[Surprise]:
        new = sorted({_entry(key) for key in first.held - self.alone(EVENTS["boot"]).held})
        does = _does(pair.parts[1], self._scenario(pair))
        if not new or does is None or hasattr(pair.parts[0], "registrations"):
            return []
        return [Surprise(("carried", does, *new), None, f"a boot leaves no {', '.join(new[:3])}; then {does}")]

    def _scenario(self, event: Event) -> Scenario:
        return event.adapt(Scenario(self.variant.protocol(self.features), self.features, vcpus=VCPUS))

    def chosen(
        self, pairs: Iterable[Event], progress: Callable[[int, int], None] | None = None
    ) -> list[Chosen]:
        """Return one pair for each way to surprise, of those of ``pairs`` that have two parts and VCPUS vCPUs."""
        ways: dict[tuple[Hashable, ...], list[tuple[Composed, Surprise]]] = {}
        todo = [one for one in pairs if isinstance(one, Composed) and len(one.parts) == 2 and one.min_vcpus <= VCPUS]
        for done, pair in enumerate(todo):
            for surprise in self.surprises(pair):
                if not ways.get(surprise.way) or ways[surprise.way][-1][0] != pair:
                    ways.setdefault(surprise.way, []).append((pair, surprise))
            if progress is not None:
                progress(done + 1, len(todo))
        found: dict[Event, list[tuple[Surprise, int]]] = {}
        for alike in ways.values():
            pair, surprise = next((one for one in alike if one[0] in found), alike[0])
            found.setdefault(pair, []).append((surprise, len(alike)))
        return [self._chosen(pair, surprises) for pair, surprises in found.items()]

    def _chosen(self, pair: Event, surprises: list[tuple[Surprise, int]]) -> Chosen:
        areas = [surprise.area for surprise, _ in surprises if surprise.area is not None]
        name = areas[0][1] if areas else self._feature(pair)
        (feature,) = (one for one in self.features if one.name == name)
        alone = all(owner in (0, VM) for owner, _ in areas)
        size = Size(max(pair.min_vcpus, 1 if alone else VCPUS), (own_files.named_anywhere(feature),))
        why = tuple(dict.fromkeys(surprise.why for surprise, _ in surprises))
        return Chosen(pair, size, why, max(count for _, count in surprises))

    def _feature(self, pair: Event) -> str:
        """Return a feature whose entries the first part leaves and a boot does not, else the first supported one."""
        assert isinstance(pair, Composed)
        scenario = self._scenario(pair)
        before, after = self.alone(EVENTS["boot"]), self.alone(pair.parts[0])
        changed = [area[1] for area, fate in after.fates.items() if fate is not before.fates[area]]
        supported = [feature.name for feature in scenario.supported()] or [self.features[0].name]
        return next((name for name in changed if name in supported), supported[0])


def _entry(key: Key) -> str:
    name = f"{key.name:#x}" if key.kind == "register" and isinstance(key.name, int) else key.name
    return f"{key.kind} {name}"


def _owner(owner: int) -> str:
    return "the VM" if owner == VM else f"vCPU {owner}"


def _does(event: Event, scenario: Scenario) -> str | None:
    """Return what an event does to the whole of a host's state; None if it does nothing of the kind."""
    if event.new_kernels:
        return "another kernel starts"
    steps = {type(step) for step in in_order(event.happen(scenario))}
    return next((word for kind, word in ((NewHost, "the machine moves"), (Init, "INIT")) if kind in steps), None)


__all__ = ["VCPUS", "Chosen", "Outcome", "Pairs", "Surprise", "outcome"]
