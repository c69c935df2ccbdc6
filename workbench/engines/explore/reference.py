"""The reference engine: states are tuples of value numbers, visited states a dict from state to predecessor.

Rule kept here: it defines what the fast engines must compute, and explores models that they cannot pack.
Below a few thousand states it is also the fastest.
"""

from __future__ import annotations

import sys

from workbench.engines.explore.reduction import Reduction
from workbench.engines.explore.search import Limits, SearchOutcome, State
from workbench.engines.explore.space import Effect, Space
from workbench.errors import WorkbenchError

COMPARED = 100  # states, of those that a reduction merges
LOOK_EVERY = 64  # states between two checks of the limits


def changes(effect: Effect, state: State) -> dict[int, int]:
    """The writes of an effect and its parts: variable number -> value number."""
    if not effect.parts:
        return dict(effect.writes)
    merged = dict(effect.writes)
    for part in effect.parts:
        for index, number in part.effect(state).writes:
            if index in merged:
                raise WorkbenchError(f"{part.actor}: {part.space.names[index]!r} is written twice in one step")
            merged[index] = number
    return merged


def applied(space: Space, effect: Effect, state: State) -> State:
    """The state after an effect, with all variables of the space."""
    written = changes(effect, state)
    after = list(state) + [0] * (len(space.names) - len(state))
    for index, number in written.items():
        after[index] = number
    return tuple(after)


def successors(space: Space, state: State) -> set[State]:
    """The states that one step leads to, the state itself included if a step changes nothing."""
    effects = (action.effect(state) for action in space.actions)
    return {applied(space, effect, state) for effect in effects if effect.enabled}


class PlainSearch:
    """A breadth-first search that can be stopped after any number of states; its outcome is then partial."""

    def __init__(self, space: Space, limits: Limits, reduction: Reduction | None = None) -> None:
        self.space = space
        self.limits = limits
        self.reduction = reduction
        initial = space.initial()
        self.initial = initial if reduction is None else reduction.least(initial)
        self.parents: dict[State, State | None] = {self.initial: None}
        self.outcome = SearchOutcome("python", states=1)
        self.frontier = [self.initial]

    def run(self) -> SearchOutcome:
        """Search until nothing new appears, a limit is met or the user interrupts."""
        outcome, depth = self.outcome, 0
        try:
            while self.frontier and outcome.limit is None:
                outcome.depth = depth
                found = self._level(depth)
                if outcome.limit is None:
                    self.frontier = found
                    if self.limits.stop_at_first and self.outcome.violates(self.space.marks):
                        outcome.limit = "first finding"
                depth += 1
        except KeyboardInterrupt:
            outcome.limit = "interrupted"
        outcome.states = len(self.parents)
        outcome.stored = len(self.parents) * (sys.getsizeof(self.initial) + 100)  # a dict entry and its slack
        outcome.seconds = self.limits.seconds()
        return outcome

    def _level(self, depth: int) -> list[State]:
        """Expand every state of a level; returns the next level. Sets `outcome.limit` when a limit is met."""
        found: list[State] = []
        size = sys.getsizeof(self.initial) + 100
        index = 0
        while index < len(self.frontier):
            state = self.frontier[index]
            after, enabled = self.expand(state)
            marks = [mark for observer in self.space.observers for mark in observer.effect(state).marks]
            stuck = not enabled and not self.space.ending.effect(state).holds
            if len(self.space.names) > len(state):
                found = self._widen(found)
                continue  # the same state again, now with all its variables
            index += 1
            self._count(state, depth, enabled, marks, stuck)
            for successor in after:
                if successor not in self.parents:
                    self.parents[successor] = state
                    found.append(successor)
            if index % LOOK_EVERY == 0 or index == len(self.frontier):
                self.limits.report(len(self.parents), len(self.frontier), depth)
                limit = self.limits.exceeded(len(self.parents), len(self.parents) * size)
                if limit is not None and (found or index < len(self.frontier)):
                    self.outcome.limit = limit
                    return found
        return found

    def expand(self, state: State) -> tuple[list[State], int]:
        """The successors of a state (itself left out) and the number of enabled actions."""
        after, enabled = [], 0
        for action in self.space.actions:
            effect = action.effect(state)
            if effect.enabled:
                enabled += 1
                successor = applied(self.space, effect, state)
                if self.reduction is not None:
                    successor = self.reduction.least(successor)
                if successor != state:
                    after.append(successor)
        return after, enabled

    def _count(self, state: State, depth: int, enabled: int, marks: list[int], stuck: bool) -> None:
        """Add one state to the outcome."""
        outcome = self.outcome
        outcome.transitions += enabled
        for mark in marks:
            outcome.hits[mark].add(1, depth, state)
        if stuck:
            outcome.deadlocks.add(1, depth, state)
        if self.reduction is not None and len(self.parents) < COMPARED:
            self.reduction.compare(state)

    def _widen(self, found: list[State]) -> list[State]:
        """Add newly found variables to every state; returns the widened next level."""
        width = len(self.space.names)

        def wide(state: State) -> State:
            return state + (0,) * (width - len(state))

        self.parents = {wide(state): None if parent is None else wide(parent) for state, parent in self.parents.items()}
        self.frontier = [wide(state) for state in self.frontier]
        self.initial = wide(self.initial)
        hits = [*self.outcome.hits.values(), self.outcome.deadlocks]
        for hit in hits:
            hit.state = None if hit.state is None else wide(hit.state)
        return [wide(state) for state in found]

    def path(self, depth: int, state: State) -> list[State]:
        """The states from the initial one to `state`, one per level."""
        states: list[State] = []
        at: State | None = state
        while at is not None:
            states.append(at)
            at = self.parents[at]
        return states[::-1]
