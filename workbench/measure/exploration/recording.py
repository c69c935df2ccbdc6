"""A recording: a trace replayed on the bytes of a machine, with all that a reader can look at after each step.

What can be looked at are *items*: the fields of descriptors and areas in guest memory, the host's entries, and what the
guest believes. A trace comes from the explorer (a counterexample), or from one schedule in which programs run one after
the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.checking.failures import Failure
from workbench.checking.ghosts import GHOSTS, HARMLESS
from workbench.clayout.layout import Layout
from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.host_state import Key
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, entry_slot, vcpu_slot
from workbench.core.step_text import key_text, numbers_in, value_text, whose
from workbench.engines.simulate.schedule import Schedule
from workbench.errors import WorkbenchError
from workbench.measure.exploration.ending import Ending, ending
from workbench.measure.exploration.explore import Exploration, Question, TraceRow, as_explored
from workbench.measure.exploration.items import GUEST, Item, Structure, changes_of, in_host, in_memory

#: A schedule that takes more steps than this is not shown step by step.
MOST_STEPS = 5000


@dataclass(frozen=True)
class Recording:
    """The steps of a trace, and the text of each item at the beginning and wherever a step changes it."""

    subject: str  #: "generic under migrate"
    size: str  #: "1 vCPU, steal_time"
    rows: tuple[TraceRow, ...]
    start: Mapping[Item, str]  #: every item, in the order in which it is shown
    changes: tuple[Mapping[Item, str], ...]  #: for each step, the items that it changes
    places: tuple[tuple[int, str], ...] = ()  #: the addresses that the steps name: (gpa, what the guest keeps there)
    failure: Failure | None = None
    ending: Ending | None = None
    texts: tuple[str, ...] = ()  #: of each step, where it says more than the step: its answer

    def text(self, step: int) -> str:
        """Return the text of a step; the first is 0."""
        return self.texts[step] if self.texts else self.rows[step].text


def of_finding(exploration: Exploration, failure: Failure) -> Recording | None:
    """Return the recording of the shortest trace to a failure; None if there is no trace.

    Raises WorkbenchError if a machine cannot take the steps of the trace.
    """
    rows = exploration.trace(failure)
    if rows is None:
        return None
    return recorded(exploration.question, rows, failure, ending(exploration, failure))


def of_run(question: Question) -> Recording:
    """Return the recording of one simulated schedule: each program runs to its end before the next one starts.

    Raises WorkbenchError if a program goes on for more than MOST_STEPS steps.
    """
    return recorded(question, tuple(one_after_the_other(question)))


def recorded(
    question: Question, rows: Sequence[TraceRow], failure: Failure | None = None, end: Ending | None = None
) -> Recording:
    """Replay the steps on bytes, and record what each changes."""
    scenario = question.event.adapt(question.scenario)
    shown = _in_memory(scenario, rows)
    schedule = Schedule(question.scenario, as_explored(question.event))
    states = [_state(schedule, shown)]
    for row in rows:
        schedule.turn(row.turn)
        states.append(_state(schedule, shown))
    start, changes = changes_of(states, shown)
    places = tuple(question.places(rows))
    subject = f"{question.variant.label} under {question.event.name}"
    return Recording(subject, question.size, tuple(rows), start, changes, places, failure, end)


# -- what is looked at ---------------------------------------------------------------------------------


def _in_memory(scenario: Scenario, rows: Sequence[TraceRow]) -> list[Structure]:
    """Return the structures that the steps of a trace touch, by address."""
    named = {number for row in rows for number in numbers_in(row.step, row.descriptor)}
    found: dict[int, Structure] = {}
    for gpa in sorted(named):
        unit = scenario.unit_at(gpa)
        if unit is not None and (layout := _layout(scenario, unit.what)) is not None:
            begin = scenario.addresses.gpa(unit)
            found[begin] = Structure(begin, layout, _unit_text(scenario, unit))
    for row in rows:  # areas at addresses of the guest's own choice
        for name, _, gpa in row.changes or _stored_areas(row):
            if not isinstance(name, Key) or name.kind not in ("area", "believes") or not isinstance(gpa, int):
                continue
            layout = _layout(scenario, str(name.name))
            if gpa not in found and layout is not None:
                found[gpa] = Structure(gpa, layout, f"{name.name} of {whose(name.cpu)}, moved")
    return [found[gpa] for gpa in sorted(found)]


def _stored_areas(row: TraceRow) -> Iterator[tuple[Any, Any, Any]]:
    """The entry that a step sets, for a row that says no changes."""
    own = row.own_step
    if hasattr(own, "key") and hasattr(own, "value"):
        yield own.key, None, own.value


def _unit_text(scenario: Scenario, unit: Unit) -> str:
    kernel = f", kernel {unit.generation}" if scenario.kernels > 1 and unit.generation else ""
    return f"{unit.what} of {whose(unit.cpu)}{kernel}"


def _layout(scenario: Scenario, what: str) -> Layout | None:
    """Return the structure of a descriptor or of a feature's area; None where memory has no structure."""
    if what == DESCRIPTOR:
        return scenario.protocol.descriptor.on(scenario.abi) if scenario.protocol.descriptor is not None else None
    feature = next((one for one in scenario.features if one.name == what), None)
    return feature.payload.on(scenario.abi) if feature is not None and feature.size else None


def _state(schedule: Schedule, shown: Sequence[Structure]) -> dict[Item, str]:
    """Return the text of every item that has a value."""

    def read(gpa: int, size: int) -> bytes | None:
        return next((data for offset, data in schedule.content(gpa, size) if offset == 0), None)

    found = in_memory(shown, read) | in_host(schedule.held())
    for place in schedule.places():
        gpa, answer = schedule.believed(place), schedule.concluded(place)
        if gpa is not None:
            found[Item(GUEST, "", f"{place} is registered at")] = value_text(gpa)
        if answer is not None:
            found[Item(GUEST, "", f"{place}: the last answer")] = value_text(answer)
    return found


def occurrences(row: TraceRow) -> list[str]:
    """Return what a property keeps watch over and a step brought about: "host wrote memory that is somebody else's"."""
    return [_seen(name, after) for name, _, after in row.changes if name in GHOSTS and name not in HARMLESS]


def _seen(name: Any, value: Any) -> str:
    """Return the text of a ghost that a step has set; the value of some is a tuple of what it is about."""
    if not isinstance(value, tuple):
        return str(name)
    told = (key_text(one[0]) if isinstance(one, tuple) else str(one) for one in value)
    return f"{name}: {', '.join(told)}"


# -- one schedule --------------------------------------------------------------------------------------


def one_after_the_other(question: Question) -> Iterator[TraceRow]:
    """Yield the steps of the schedule in which whatever has begun runs to its end before the event goes on."""
    question.check()
    schedule = Schedule(question.scenario, as_explored(question.event))
    yield from steps_taken(schedule, f"{question.variant.label} under {question.event.name}")


def steps_taken(schedule: Schedule, subject: str) -> Iterator[TraceRow]:
    """Take one step after the other, and yield each when it is taken; whoever stops asking finds the machine there.

    Raises WorkbenchError, which names the ``subject``, after MOST_STEPS steps.
    """
    cpus = range(schedule.scenario.vcpus)
    slots = (*map(entry_slot, cpus), *map(vcpu_slot, cpus), EVENT)
    for _ in range(MOST_STEPS):
        row = _next(schedule, slots)
        if row is None:
            return
        yield row
    raise WorkbenchError(f"{subject}: more than {MOST_STEPS} steps; ask for fewer vCPUs")


def _next(schedule: Schedule, slots: Sequence[Any]) -> TraceRow | None:
    """Take the next step that can be taken, and return it; None if there is none."""
    for slot in slots:
        pending = schedule.pending(slot)
        if pending is None:
            continue
        for step in pending.next_steps() if hasattr(pending, "next_steps") else (pending,):
            row = TraceRow(slot, step, (), schedule.scenario.descriptor_in(step))
            try:
                schedule.turn(row.turn)
            except WorkbenchError:
                continue  # it waits for another
            return row
    return None


__all__ = ["MOST_STEPS", "Recording", "of_finding", "of_run", "one_after_the_other", "recorded", "steps_taken"]
