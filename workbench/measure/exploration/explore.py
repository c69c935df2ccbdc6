"""One exploration: a protocol under one lifecycle event at one size, all failures of the catalogue at once.

Sizes are small on purpose: a failure of a registration protocol shows itself with one or two vCPUs and one or two
features, or it is not a failure of the protocol. What was explored is part of every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from workbench.checking.environment import EnvironmentAction
from workbench.checking.failures import FAILURES, Failure
from workbench.clayout.layout import Layout
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.event_steps import OnHost
from workbench.core.rules.place import by_author, raised
from workbench.core.scenario import Scenario
from workbench.core.slots import EVENT, Slot
from workbench.core.step_text import numbers_in, step_text, whose
from workbench.durable.content import described
from workbench.engines.explore import FAILS, Finding, Progress, Property, Result, TraceStep
from workbench.engines.explore.vm import Bounds, MachineModel, Merging, asking, explore_machine
from workbench.engines.simulate.schedule import Schedule, Turn
from workbench.errors import EngineError, WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import Composed, composed
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.exploration.memory_limit import half_of_disk, half_of_memory
from workbench.measure.exploration.shared_state import touches_others_state
from workbench.measure.sent import sent
from workbench.measure.variants import Variant, features_of, variants

#: The default; a state takes some two hundred bytes.
MAX_STATES = 1_000_000
#: An event with endless registrations is explored with this many, which exceeds a limit of 16 areas.
REGISTRATIONS = 17


class TraceRow(NamedTuple):
    """One step of a trace: its actor, the step, and the variables that it changed (name, before, after).

    ``actor`` is a slot, or an action of the environment, which is then also the step. ``descriptor`` is the layout
    of the descriptor that the step stores; None if it stores none.
    """

    actor: Slot | EnvironmentAction
    step: Any  #: (side, step) of a program, a step of the event, or the action that begins
    changes: tuple[tuple[Any, Any, Any], ...] = ()
    descriptor: Layout | None = None

    @property
    def side(self) -> str:
        """The side that acts: guest, kernel (KVM), user (the VMM), or event."""
        if isinstance(self.actor, EnvironmentAction):
            return "guest" if self.actor.slot.serves_exits else "kernel"
        return self.step[0].name.lower() if type(self.step) is tuple else "event"

    @property
    def cpu(self) -> int | None:
        """The vCPU for which the step is taken; None for none in particular."""
        return None if self.actor == EVENT else self.actor.cpu

    @property
    def own_step(self) -> Any:
        """The step without its side."""
        return self.step[1] if type(self.step) is tuple else self.step

    @property
    def text(self) -> str:
        """The step in words."""
        return step_text(self.step, self.descriptor)

    @property
    def turn(self) -> Turn:
        """The record of this step, which a schedule can replay."""
        return Turn.of(self.actor, self.step)


@dataclass(frozen=True)
class Question:
    """What is explored. If the protocol knows none of ``features``, the model is empty, and this is reported."""

    variant: Variant
    event: Event
    features: tuple[Feature, ...]
    vcpus: int = 1
    bounds: Bounds = Bounds()

    @classmethod
    def of(
        cls, protocol: str | Variant, event: str | Event, features: Iterable[str | Feature] | None = None,
        vcpus: int | None = None, bounds: Bounds | None = None,
    ) -> Question:  # fmt: skip
        """Return the question about things given by name, by path or themselves; ``vcpus``: see :func:`default_vcpus`.

        Raises WorkbenchError for an unknown name, and for an event that needs more vCPUs.
        """
        happening = choose_event(event)
        (chosen,) = variants([protocol])
        within = bounds or Bounds()
        wanted = features_of(chosen, features)
        if vcpus is None:
            vcpus = default_vcpus(chosen, happening, wanted, within)
        asked = cls(chosen, happening, wanted, vcpus, within)
        asked.check()
        return asked

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process, without the scenario."""
        features = tuple(map(sent, self.features))
        return _arrived, (self.variant, sent(self.event), features, self.vcpus, self.bounds)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario before the event adapts it."""
        return Scenario(self.variant.protocol(self.features), self.features, vcpus=self.vcpus)

    def check(self) -> None:
        """Raise WorkbenchError if the event needs more vCPUs."""
        if self.vcpus < self.event.min_vcpus:
            raise WorkbenchError(
                f"event {self.event.name!r} needs at least {self.event.min_vcpus} vCPUs; here are {self.vcpus}"
            )

    def places(self, rows: Sequence[TraceRow]) -> list[tuple[int, str]]:
        """Return the addresses that occur in a trace, with what the guest keeps there."""
        scenario = self.event.adapt(self.scenario)
        named = {number for row in rows for number in numbers_in(row.step, row.descriptor)}
        units = {unit for gpa in named if (unit := scenario.unit_at(gpa)) is not None}
        begins = sorted((scenario.addresses.gpa(unit), unit) for unit in units)
        return [(gpa, f"{unit.what} of {whose(unit.cpu)} (kernel {unit.generation})") for gpa, unit in begins]

    def described(self) -> list[Any]:
        """Return the question as data: equal data stand for the same sources and the same question (``durable``)."""
        variant, features = described(self.variant.kind), [described(feature) for feature in self.features]
        return [variant, self.variant.mitigations, described(self.event), features, self.vcpus, described(self.bounds)]

    @property
    def size(self) -> str:
        """The size as text: "2 vCPUs, steal_time"."""
        features = "+".join(feature.name for feature in self.features)
        return f"{self.vcpus} vCPU{'s' if self.vcpus > 1 else ''}, {features}"


def _arrived(variant: Variant, event: str | Event, features: Iterable[str | Feature], *rest: Any) -> Question:
    return Question(variant, choose_event(event), choose_features(features), *rest)


@dataclass(frozen=True)
class Exploration:
    """A question, the explorer's result, and the failures that were checked.

    ``merging``: which vCPUs were exchanged; None if symmetry was not asked for.
    """

    question: Question
    result: Result
    failures: tuple[Failure, ...]
    merging: Merging | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped the search."""
        return self.result.limit == "interrupted"

    def finding(self, failure: Failure) -> Finding | None:
        """Return the explorer's finding for a failure, None if there is none."""
        return next((found for found in self.result.findings if found.code == failure.code), None)

    def trace(self, failure: Failure) -> tuple[TraceRow, ...] | None:
        """Return the shortest trace to a violation; None if there is no violation or no trace."""
        finding = self.finding(failure)
        if finding is None or finding.trace is None:
            return None
        scenario = self.question.event.adapt(self.question.scenario)
        return tuple(_row(step, scenario.descriptor_in(step.step)) for step in finding.trace.steps)


def _row(step: TraceStep, descriptor: Layout | None) -> TraceRow:
    changes = ((name, old, new) for name, (old, new) in step.changes.items())
    actor: Any = step.actor
    return TraceRow(actor, _without_scenario(step.step), tuple(changes), descriptor)


def _without_scenario(step: Any) -> Any:
    """Return a step that another process can be sent: the scenario of a host call is the trace's own, and large."""
    if not isinstance(step, OnHost):
        return step
    arguments = tuple(one for one in step.program.arguments if not isinstance(one, Scenario))
    return step._replace(program=step.program._replace(arguments=arguments))


def explore_question(
    question: Question,
    failures: Sequence[Failure] = tuple(FAILURES.values()),
    *,
    max_states: int | None = MAX_STATES,
    max_bytes: int | None = None,
    symmetry: bool = False,
    disk: Path | None = None,
    partial: bool = False,
    progress: Callable[[Progress], None] | None = None,
    jobs: int | None = None,
) -> Exploration:
    """Explore one question; raise WorkbenchError if the event cannot happen there or a program raises an exception.

    Raises KeyboardInterrupt when the user stops the search; with ``partial`` it returns what is known by then instead.

    ``max_bytes`` of stored states stop the search, as ``max_states`` do; None: half of what this process may use.
    ``disk``: a directory that takes the states in place of memory, up to half of what is free there.
    ``symmetry``: merge states that differ only by exchanging interchangeable vCPUs. ``jobs``: as in ``explore``.
    """
    machine = machine_of(question, failures)
    result = explore_machine(
        machine,
        symmetry=symmetry,
        max_states=max_states,
        max_bytes=max_bytes or (half_of_memory() if disk is None else half_of_disk(disk)),
        disk=disk,
        progress=progress,
        jobs=jobs,
    )
    exploration = Exploration(question, result, tuple(failures), machine.merging if symmetry else None)
    if exploration.interrupted and not partial:
        raise KeyboardInterrupt
    return exploration


def explored(question: Question, failures: Sequence[Failure], **options: Any) -> Exploration:
    """Explore one question like :func:`explore_question`, but let a program that fails break off only this question.

    Raises WorkbenchError if the event cannot happen there, and EngineError.
    """
    question.check()
    try:
        return explore_question(question, failures, **options)
    except (EngineError, MemoryError):
        raise
    except WorkbenchError as error:
        why = str(error)
    except BaseException as error:
        if not by_author(error):
            raise
        why = raised(error)
    codes = [failure.code for failure in failures]
    told = f"broke off: {why}, event {question.event.name}"
    return Exploration(question, Result.broke_off(codes, told), tuple(failures))


def machine_of(question: Question, failures: Sequence[Failure]) -> MachineModel:
    """Return the machine that a question is about; raise WorkbenchError if the event cannot happen to it."""
    question.check()

    def properties(machine: MachineModel) -> list[Property]:
        return [property_of(machine, failure) for failure in failures]

    return MachineModel(question.scenario, as_explored(question.event), properties, question.bounds)


def property_of(machine: MachineModel, failure: Failure) -> Property:
    """Return a failure as the explorer checks it."""
    culprits = asking(machine, failure.culprits) if failure.kind == "always" else None
    holds, premise = asking(machine, failure.holds), asking(machine, failure.premise)
    return Property(failure.code, failure.name, failure.kind, holds, premise, culprits)


def default_vcpus(variant: Variant, event: Event, features: tuple[Feature, ...], bounds: Bounds) -> int:
    """Return how many vCPUs to explore if nobody says: as the event needs; two for readers and for shared state."""
    several = bounds.reads or touches_others_state(variant, features)
    return max(event.min_vcpus, 2 if several else 1)


def as_explored(event: Event) -> Event:
    """Return the event as the explorer runs it: endless registrations are cut to REGISTRATIONS."""
    if isinstance(event, Composed):
        return composed([as_explored(part) for part in event.parts])
    if getattr(event, "registrations", 0) <= REGISTRATIONS:
        return event
    shorter = copy(event)
    vars(shorter)["registrations"] = REGISTRATIONS
    return shorter


def confirm(question: Question, turns: Sequence[Turn | tuple[Any, Any]]) -> Schedule:
    """Replay recorded turns on a concrete machine and return it, for a failure's ``holds`` to check.

    Raises WorkbenchError if a turn cannot be taken or its step differs from the recorded one.
    """
    question.check()
    schedule = Schedule(question.scenario, as_explored(question.event))
    schedule.play(Turn(*turn) for turn in turns)
    return schedule


__all__ = [
    "FAILS",
    "MAX_STATES",
    "Exploration",
    "Question",
    "TraceRow",
    "as_explored",
    "confirm",
    "explore_question",
    "explored",
    "machine_of",
]
