"""Runs one combination for one design and one feature, and judges it by what became of the areas.

The verdict comes from the run alone: the fate of each area, the failures of the catalogue that its end violates, an
exit at which the VMM stopped, a stream that was refused, and the bytes that the host wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from workbench.checking.evidence import WRITES_ANY_TIME, evidence
from workbench.checking.facts import Place
from workbench.checking.failures import FAILURES, Failure, Violation
from workbench.clayout.layout import Abi
from workbench.core.contracts import Feature
from workbench.core.driver import host_side
from workbench.core.event_steps import NewHost
from workbench.core.host_state import area
from workbench.core.outcome import Fate
from workbench.core.rules.place import by_author, raised
from workbench.core.scenario import Scenario, fate_of
from workbench.engines.simulate import Simulation
from workbench.engines.simulate.schedule import Schedule
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Question, TraceRow
from workbench.measure.exploration.recording import steps_taken
from workbench.measure.skew.aged import VM_STOPPED, Aged, shares_its_call
from workbench.measure.skew.combinations import LONG, NEW, TYPE, Combination, Growth, HostAge
from workbench.measure.skew.grown import LONGER, VALUE, can_grow, field_at, grown, written
from workbench.measure.skew.happens import STREAM_REFUSED, Skew
from workbench.measure.variants import Variant, features_of

WORKS, UNUSED, REFUSED, LOST, WORSE, BROKE_OFF, NOTHING = (
    "works", "unused", "refused", "lost", "worse", "broke off", "n/a"
)  # fmt: skip
#: From harmless to harmful; a table shows the worst of several features.
SEVERITY = (NOTHING, WORKS, UNUSED, REFUSED, LOST, WORSE, BROKE_OFF)
MEANING = {
    WORKS: "the guest is served with what it asked for",
    UNUSED: "the guest asks for nothing, and the host writes nothing",
    REFUSED: "the guest is told no, or the VMM that moves it is",
    LOST: "the guest believes in an area, or a field, that no host writes, and nobody is told",
    WORSE: "the host writes, or serves, what it must not, or the VM stops",
    BROKE_OFF: "a program of the design failed",
    NOTHING: "does not apply: the design cannot express the feature, or has no such call or payload",
}
#: Failures that are worse than a loss, and those that are one; of several, the first tells what happened.
HARM, LOSS = ("F01", "F07", "F12", "F17", "F15", "F03", "F25"), ("F02", "F04", "F11")
_FAR = 64  #: so many bytes behind an area are looked at


class Judged(NamedTuple):
    """A verdict, why in a few words, what was seen, and the failure of the catalogue that decided, if one did."""

    verdict: str
    why: str
    seen: str
    failure: Failure | None = None


@dataclass(frozen=True)
class Ran:
    """One run: what was asked, the verdict, and the steps that were taken."""

    variant: Variant
    feature: Feature
    what: Combination | Growth
    judged: Judged
    fates: tuple[Fate, ...] = ()
    codes: tuple[str, ...] = ()  #: of all failures that its end violates
    rows: tuple[TraceRow, ...] = ()
    question: Question | None = None

    @property
    def verdict(self) -> str:
        """The verdict in one word."""
        return self.judged.verdict


@lru_cache(maxsize=4096)
def run(chosen: Variant, feature: Feature, what: Combination | Growth, vcpus: int = 1) -> Ran:
    """Run a combination; raise WorkbenchError if more steps are taken than a schedule may have."""
    try:
        reason = _does_not_apply(chosen, feature, what)
        if reason:
            return Ran(chosen, feature, what, Judged(NOTHING, "does not apply", reason))
        return _ran(chosen, feature, what, _question(chosen, feature, what, vcpus))
    except MemoryError:
        raise
    except BaseException as error:
        if not by_author(error):
            raise
        told = str(error) if isinstance(error, WorkbenchError) else raised(error)
        return Ran(chosen, feature, what, Judged(BROKE_OFF, "broke off", told))


def _does_not_apply(chosen: Variant, feature: Feature, what: Combination | Growth) -> str:
    if not chosen.protocol((feature,)).supports(feature):
        return "the design cannot express this feature"
    if isinstance(what, Growth):
        return "" if can_grow(feature, padding=what.padding) else "the host does not write such a payload"
    if any(host.kernel == TYPE for host in what.hosts) and not shares_its_call(chosen, feature):
        return "the feature has a call of its own: a kernel that does not know it claims nothing"
    return ""


def _question(chosen: Variant, feature: Feature, what: Combination | Growth, vcpus: int) -> Question:
    needed = _needed(chosen, feature)
    if isinstance(what, Combination):
        older = frozenset(one.name for one in needed)
        aged = Aged(chosen.label, chosen.kind, chosen.mitigations, last=what.hosts[-1], older=older)
        features = (*needed, feature)
        return Question(aged, Skew(str(what), what, _saved_of_nothing(chosen, features, vcpus)), features, vcpus)
    longer = grown(feature, padding=what.padding, abi=what.abi)
    guest, host = (longer if side == LONG else feature for side in (what.guest, what.host))
    aged = Aged(chosen.label, chosen.kind, chosen.mitigations, host_features=(*needed, host))
    all_new = Combination(NEW, HostAge(NEW, NEW))
    return Question(aged, Skew(str(what), all_new, abi=what.abi), (*needed, guest), vcpus)


def _needed(chosen: Variant, feature: Feature) -> tuple[Feature, ...]:
    """Return the feature that must be registered before: the first of a design's own ABI, which others may need."""
    own = chosen.kind.own_features
    return features_of(chosen, own[:1]) if feature.name in own[1:] else ()


@lru_cache(maxsize=256)
def _saved_of_nothing(chosen: Variant, features: tuple[Feature, ...], vcpus: int) -> Any:
    """Return what a VMM saves of a guest that has registered nothing: in QEMU, a subsection that is not needed."""
    scenario = Scenario(chosen.protocol(features), features, vcpus=vcpus)
    return Simulation(scenario).machine.run(0, host_side(scenario.protocol.save(scenario.cpus)))


def _ran(chosen: Variant, feature: Feature, what: Combination | Growth, question: Question) -> Ran:
    schedule = Schedule(question.scenario, question.event)
    rows = []
    for row in steps_taken(schedule, f"{chosen.label} in {what}"):
        rows.append(row)
        if schedule.machine.notes.get(VM_STOPPED) is not None:
            break
    places = [place for place in schedule.places() if place.feature.name == feature.name]
    fates = tuple(_fate(schedule, place) for place in places)
    codes = tuple(code for code, one in FAILURES.items() if one.kind == "always" and _violated(schedule, one, feature))
    told = _of_growth(schedule, places, rows, what) if isinstance(what, Growth) else None
    judged = _judged(_End(schedule, feature, places, fates, codes, rows))
    if told is not None and (judged.verdict == WORKS or told.verdict == WORSE):
        judged = told
    return Ran(chosen, feature, what, judged, fates, codes, tuple(rows), question)


def _fate(schedule: Schedule, place: Place) -> Fate:
    machine, scenario = schedule.machine, schedule.scenario
    strays = any(one.what == place.feature.name for one in FAILURES["F01"].violations(schedule))
    return fate_of(
        evidence(
            scenario.protocol, place.owner, place.feature, notes=machine.notes, held=machine.entries,
            ever=machine.ever, arrives=machine.host_reaches, strays=strays,
            belongs_to_host=scenario.addresses.belongs_to_host,
        )
    )  # fmt: skip


class _End(NamedTuple):
    """The end of a run, and what is known of the areas of the feature that is asked about."""

    schedule: Schedule
    feature: Feature
    places: list[Place]
    fates: tuple[Fate, ...]
    codes: tuple[str, ...]
    rows: list[TraceRow]

    def told(self, verdict: str, failure: Failure) -> Judged:
        """Return the verdict with what violates the failure."""
        return Judged(verdict, failure.title, _violated(self.schedule, failure, self.feature)[0].sentence, failure)


def _violated(schedule: Schedule, failure: Failure, feature: Feature) -> list[Violation]:
    """Return what violates a failure, but not by an area of another feature."""
    others = {place.feature.name for place in schedule.places()} - {feature.name}
    return [one for one in failure.violations(schedule) if one.what not in others]


def _judged(end: _End) -> Judged:
    if _has_types_built_in(end):
        return Judged(NOTHING, "does not apply", "the design's host side has its types built in: none lacks this one")
    found = _harm(end) or _loss(end)
    if found is not None:
        return found
    if end.schedule.machine.notes.get(STREAM_REFUSED):
        seen = "the destination's VMM refuses the stream, and the guest goes on where it was"
        return Judged(REFUSED, "stream refused", seen)
    if all(end.schedule.concluded(place) is None for place in end.places):
        return Judged(UNUSED, "not asked for", "the guest asks for nothing, and the host writes nothing")
    if Fate.REFUSED in end.fates:
        return Judged(REFUSED, "request refused", "the guest is told that its request is refused")
    return Judged(WORKS, "served", "guest and host agree on every area, and what the host writes arrives")


def _has_types_built_in(end: _End) -> bool:
    """Tell whether a host that was made without the feature serves it all the same."""
    machine = end.schedule.machine
    host: Any = machine.cpus[0].host
    if host.kernel != TYPE or end.feature.served_by == "user":
        return False
    return any(machine.entries.get(area(place.owner, end.feature.name)) is not None for place in end.places)


def _harm(end: _End) -> Judged | None:
    stopped = end.schedule.machine.notes.get(VM_STOPPED)
    if stopped is not None:
        return Judged(WORSE, "unknown exit", f"the VMM does not know the exit {stopped!r}, and stops the VM")
    for failure in (FAILURES[code] for code in HARM if code in end.codes):
        return end.told(WORSE, failure)
    if Fate.STALE in end.fates:
        return Judged(WORSE, "stale area", "the host serves memory that is not, or no longer, the area")
    return None


def _loss(end: _End) -> Judged | None:
    if Fate.LOST in end.fates and "F02" not in end.codes:  # a value in a register, which is no area
        seen = f"the guest believes in {end.places[0]}, which a host has held; this one does not"
        return Judged(LOST, FAILURES["F02"].title, seen)
    for failure in (FAILURES[code] for code in LOSS if code in end.codes):
        return end.told(LOST, failure)
    if Fate.LOST in end.fates or Fate.SILENT in end.fates:
        return Judged(LOST, "not served", "the guest believes in an area that no host serves")
    silent = next((place for place in end.places if not _is_written(end.schedule, place, end.rows)), None)
    if silent is not None:
        return Judged(LOST, "never written", f"the host that serves {silent} does not write it")
    return None


def _is_written(schedule: Schedule, place: Place, rows: list[TraceRow]) -> bool:
    """Tell whether the host on which the machine is has written an area that it must write after an entry or event."""
    gpa, feature = schedule.believed(place), place.feature
    if gpa is None or feature.is_value or feature.update_when not in WRITES_ANY_TIME:
        return True
    arrived = max((at for at, row in enumerate(rows) if isinstance(row.own_step, NewHost)), default=0)
    return bool(written(rows[arrived:], gpa, feature.size))


def _of_growth(schedule: Schedule, places: list[Place], rows: list[TraceRow], what: Growth) -> Judged | None:
    """Return what is wrong with a payload of another length; None if nothing is."""
    for place in places:
        gpa, size = schedule.believed(place), place.feature.size
        if gpa is None:
            continue
        if not written(rows, gpa, size):
            return Judged(NOTHING, "does not apply", "the host has written no such payload in this run")
        beyond = len(_behind(schedule, place, gpa, rows))
        if beyond:
            seen = f"the host writes {beyond} bytes behind the {size} that the guest gave for {place}"
            return Judged(WORSE, "writes behind the area", seen)
        if what.guest == LONG:
            at, length = field_at(_short(place.feature), padding=what.padding, abi=what.abi)
            if not _holds(schedule, gpa + at, length):
                how = "padding over the new field" if written(rows, gpa + at, length) else "new field not written"
                return Judged(LOST, how, f"{place} is served by a host that does not know its new field: {how}")
    return None


def _behind(schedule: Schedule, place: Place, gpa: int, rows: list[TraceRow]) -> set[int]:
    """Return the addresses behind an area that the host wrote: not those of another area, but for the new field."""
    end = gpa + place.feature.size
    found = {at for begin, to in written(rows, end, _FAR) for at in range(begin, to)}
    field, length = field_at(_short(place.feature), padding=False, abi=Abi.X86_64)
    own = {at for at in range(gpa + field, gpa + field + length) if at >= end}
    for other in schedule.places():
        where = schedule.believed(other)
        if where is not None and other != place:
            found -= set(range(where, where + other.feature.size)) - own
    return found


def _holds(schedule: Schedule, gpa: int, size: int) -> bool:
    """Tell whether a field has the value that a host gives it that knows it."""
    return any(int.from_bytes(data, "little") == VALUE for offset, data in schedule.content(gpa, size) if not offset)


def _short(feature: Feature) -> Any:
    """Return the feature as it was before it grew; one that did not is that."""
    kind: Any = type(feature)
    return kind.__mro__[1]() if kind.__name__.startswith(LONGER) else feature


__all__ = ["MEANING", "SEVERITY", "Judged", "Ran", "run"]
