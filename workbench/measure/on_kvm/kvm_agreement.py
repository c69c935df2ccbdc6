"""The simulator's results compared with a real KVM's, area by area.

A difference is a finding, unless it is in the table of known differences (``data/known_fate_differences.json``), which
names the kernels it holds for, the reason, and the source; or the feature has a register that no KVM has, and KVM
itself is the host: then it serves no area, which is expected. No difference is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.outcome import Fate, worst
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, OTHERS
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import Missed
from workbench.measure.on_kvm.runs import Measurement, Words, simulated_words
from workbench.measure.variants import Variant, variant
from workbench.paths import DATA
from workbench.reading import read_json

KNOWN = DATA / "known_fate_differences.json"


class Agreement(NamedTuple):
    """One event under one protocol, by both engines. ``measured`` is "not run" if the event was not run."""

    protocol: str
    event: str
    simulated: str  #: the worst fate
    measured: str
    simulated_register_exits: int  #: exits for WRMSR and RDMSR, handled by KVM or by the VMM
    measured_user_exits: int | None
    difference: str  #: areas whose fates differ; empty if none
    known: str  #: reason and source if the difference is a known one; empty otherwise
    not_run: str
    carried_calls: int | None = None  #: hypercalls that a port carried; None for a design without hypercalls
    measured_missed: Missed | None = None  #: what did not arrive by the dirty log; None if nothing was sent


@dataclass(frozen=True)
class KnownDifference:
    """An explained difference: where it appears, on which kernels, why, and the source."""

    protocol: str
    event: str
    feature: str
    simulated: str
    measured: str
    first_kernel: str  #: the first release it was seen on, e.g. "6.1"
    last_kernel: str  #: the last one, or "" if no end is known
    reason: str
    source: str

    def covers(self, kernel: str) -> bool:
        """Tell whether release ``kernel`` lies in the range."""
        here = version(kernel)
        last = version(self.last_kernel) if self.last_kernel else here
        return (
            version(self.first_kernel) <= here[: len(version(self.first_kernel))]
            and here[: len(last)] <= last
        )


def version(release: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of a kernel release: "6.18.44-x" is (6, 18, 44)."""
    match = re.match(r"\d+(?:\.\d+)*", release)
    if match is None:
        raise WorkbenchError(f"{release!r} is no kernel release; a release begins with numbers, such as 6.12.1")
    return tuple(int(number) for number in match[0].split("."))


def known_differences(path: Path = KNOWN) -> tuple[KnownDifference, ...]:
    """Return the table of known differences."""
    return tuple(KnownDifference(**entry) for entry in read_json(path, "known differences"))


def differing(simulated: Words, measured: Words) -> list[tuple[str, str, str]]:
    """Return (feature, simulated fates, measured fates) for each feature whose areas' fates differ."""
    return [
        (feature, _as_text(simulated.get(feature, {})), _as_text(measured.get(feature, {})))
        for feature in dict.fromkeys((*simulated, *measured))
        if simulated.get(feature) != measured.get(feature)
    ]


def _as_text(words: dict[str, int]) -> str:
    return " ".join(f"{count} {word}" for word, count in sorted(words.items())) or "nothing"


def beside(
    found: Iterable[Measurement],
    kernel: str,
    chosen: Iterable[Variant] = (),
    known: Iterable[KnownDifference] | None = None,
    *,
    features: Iterable[Feature] = (),
    events: Iterable[Event] = (),
) -> list[Agreement]:
    """Return each measurement with the simulator's fates; ``kernel`` is the release it was measured on.

    ``chosen``, ``features``, ``events``: what was measured, needed for those from a file, which have no known name.
    """
    by_label = {one.label: one for one in chosen}
    happening = EVENTS | {event.name: event for event in events}
    offered = FEATURES | OTHERS | {feature.name: feature for feature in features}
    table = known_differences() if known is None else tuple(known)
    return [
        _one(each, by_label.get(each.protocol) or variant(each.protocol), happening[each.event], offered, kernel, table)
        for each in found
    ]


def _one(
    measured: Measurement, of: Variant, event: Event, offered: Mapping[str, Feature], kernel: str,
    table: tuple[KnownDifference, ...],
) -> Agreement:  # fmt: skip
    features = None if measured.features == "all" else [offered[name] for name in measured.features.split(",")]
    words, exits = simulated_words(of, choose_features(features), measured.vcpus, event)
    simulated = worst([Fate(word) for each in words.values() for word in each]).value
    head = (measured.protocol, measured.event, simulated, measured.fate, exits)
    if measured.not_run is not None:
        return Agreement(*head, None, "", "", measured.not_run)
    different = differing(words, measured.words)
    reasons = [
        _reason(measured, *each, kernel, table) or _no_register(of, offered[each[0]], measured.words)
        for each in different
    ]
    text = "; ".join(f"{name}: {said}, not {was}" for name, was, said in different)
    known = "; ".join(filter(None, dict.fromkeys(reasons))) if different and all(reasons) else ""
    return Agreement(*head, measured.user_exits, text, known, "", measured.carried_calls, measured.missed)


def _reason(
    of: Measurement, feature: str, was: str, said: str, kernel: str, table: tuple[KnownDifference, ...]
) -> str:
    for entry in table:
        same = (entry.protocol, entry.event, entry.feature, entry.simulated, entry.measured)
        if same == (of.protocol, of.event, feature, was, said) and entry.covers(kernel):
            return f"{entry.reason} ({entry.source})"
    return ""


def _no_register(of: Variant, feature: Feature, words: Words) -> str:
    """Return the reason that KVM has no register for a feature, if it serves none of its areas for that reason."""
    if not of.kind.native or not feature.brings_register:
        return ""
    if {Fate.REGISTERED.value, Fate.STALE.value} & set(words.get(feature.name, {})):
        return ""
    return f"KVM has no register {feature.registers[0].name}: the guest's write is #GP, and nothing is served"


def unexplained(lines: Iterable[Agreement]) -> list[Agreement]:
    """Return those of ``lines`` that differ for no known reason."""
    return [line for line in lines if line.difference and not line.known]
