"""Makes a counterexample: the steps from the initial state, replayed through the author's own code.

Rule kept here: every step shown was executed by the model's generators and rule functions; the remembered
tables only chose the path. If the two disagree, the model is not deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.positions.positions import Name
from workbench.engines.explore.reference import applied
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Action, Space
from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class TraceStep:
    """One atomic step: who (slot or rule), which step (a slot's yielded step, a rule's name), what changed.

    `changes` maps a variable to (old, new). The position of the acting slot itself is left out; when another
    actor starts or stops a slot, `changes` has the pending steps of that slot under `SlotVar(slot)`.
    """

    actor: Name
    step: Any
    changes: dict[Hashable, tuple[Any, Any]]
    is_slot: bool

    def as_json(self) -> dict[str, Any]:
        """The step with names and values as text, numbers and None kept as they are."""
        changed = {str(var): [_plain(old), _plain(new)] for var, (old, new) in self.changes.items()}
        return {"actor": str(self.actor), "step": str(self.step), "changes": changed}


@dataclass(frozen=True)
class Trace:
    """Steps in order; no steps when the initial state itself is meant."""

    steps: tuple[TraceStep, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def as_json(self) -> list[dict[str, Any]]:
        """All steps, see TraceStep.as_json."""
        return [step.as_json() for step in self.steps]


def _plain(value: Any) -> Any:
    return value if value is None or type(value) in (bool, int, float, str) else str(value)


def trace_along(space: Space, states: list[State]) -> Trace:
    """Replay the way through the given states from the initial one."""
    state, steps = space.initial(), []
    for packed in states[1:]:
        action, after = towards(space, state, packed)
        steps.append(_replayed(space, action, state, after))
        state = after
    return Trace(tuple(steps))


def as_wide(space: Space, state: State) -> State:
    """The state extended by the variables found since."""
    return state + (0,) * (len(space.names) - len(state))


def towards(
    space: Space, state: State, wanted: State, represent: Callable[[State], State] = lambda after: after
) -> tuple[Action, State]:
    """An action that leads from a state to the wanted one, or to one that it represents; and where it leads."""
    for action in space.actions:
        effect = action.effect(state)
        if effect.enabled:
            after = applied(space, effect, state)
            if represent(after) == as_wide(space, wanted):
                return action, after
    raise WorkbenchError("internal error: no action leads to the next state of the trace")


def _replayed(space: Space, action: Action, state: State, after: State) -> TraceStep:
    effect, _ = action.execute(state)
    if not effect.enabled or applied(space, effect, state) != after:
        raise WorkbenchError(f"{action.actor} is not deterministic: run again in the same state it did something else")
    own = SlotVar(action.actor)
    is_slot = action.choice is not None
    changes = {}
    for index, (old, new) in enumerate(zip(state, after, strict=True)):
        name = space.names[index]
        if old != new and not (is_slot and name == own):
            changes[name] = (_shown(space, index, old), _shown(space, index, new))
    return TraceStep(action.actor, space.step_of(action, state), changes, is_slot)


def _shown(space: Space, index: int, number: int) -> Any:
    value = space.domains[index].values[number]
    return space.step_at(value) if isinstance(space.names[index], SlotVar) else value
