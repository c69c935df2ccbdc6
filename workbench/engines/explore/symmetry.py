"""One representative for all states that differ only by exchanging interchangeable slots.

Rule kept here: the representative is the least of all renamed states, so it does not depend on the order
in which states are met. That the model really is symmetric is the author's claim; the plain engine tests it
on the states it sees first (`Renamings.refute`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from workbench.core.errors import WorkbenchError
from workbench.engines.explore.model import SlotVar, Symmetry
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Space


class Renaming:
    """One way of exchanging slots: where each variable goes, and what its values become."""

    def __init__(self, space: Space, groups: list[tuple[Symmetry, Mapping[Any, Any]]]) -> None:
        self.space = space
        self.groups = groups
        self.targets: list[int] = []
        self.values: list[dict[int, int]] = []
        self._positions: dict[Any, Any] = {}

    def target(self, index: int) -> int:
        """The variable that variable `index` becomes."""
        while len(self.targets) <= index:
            self._extend()
        return self.targets[index]

    def number(self, index: int, number: int) -> int:
        """The number, in the target variable, of what a value becomes."""
        target, known = self.target(index), self.values[index]
        if number not in known:
            value = self.space.domains[index].values[number]
            known[number] = self.space.domains[target].number(self._value(self.space.names[index], value))
        return known[number]

    def apply(self, state: State) -> State:
        """The renamed state; as wide as the space, which this may widen."""
        placed = [(self.target(index), self.number(index, number)) for index, number in enumerate(state)]
        result = [0] * len(self.space.names)
        for index, number in placed:
            result[index] = number
        return tuple(result)

    def _extend(self) -> None:
        index = len(self.targets)
        name = self.space.names[index]
        renamed = self._name(name)
        self.targets.append(self.space.variable(renamed, "symmetry"))
        self.values.append({})
        if self.number(index, 0) != 0:
            raise WorkbenchError(
                f"not symmetric: {name!r} starts as {self.space.domains[index].values[0]!r}, "
                f"{renamed!r} as {self.space.domains[self.targets[index]].values[0]!r}"
            )

    def _name(self, name: Any) -> Any:
        for group, mapping in self.groups:
            if isinstance(name, SlotVar):
                name = SlotVar(mapping.get(name.name, name.name))
            else:
                name = group.variable(name, mapping)
        return name

    def _value(self, name: Any, value: Any) -> Any:
        if isinstance(name, SlotVar):
            return self._position(value)
        for group, mapping in self.groups:
            value = group.value(name, value, mapping)
        return value

    def _answer(self, answer: Any) -> Any:
        for group, mapping in self.groups:
            answer = group.value(None, answer, mapping)
        return answer

    def _position(self, at: Any) -> Any:
        """The position that the renamed program reaches by the renamed answers."""
        if at is None:
            return None
        if at not in self._positions:
            positions = self.space.positions
            program = at[0]
            for group, mapping in self.groups:
                program = group.program(program, mapping)
            here = positions.start(program)
            for place in positions.table[at[0]][at[1]].history()[1:]:
                if here is None:
                    raise WorkbenchError(f"not symmetric: program {program} ends where {at[0]} goes on")
                here = positions.advance(here, self._answer(place.answer))
            self._positions[at] = here
        return self._positions[at]


class Renamings:
    """All ways of exchanging slots except leaving everything in place."""

    def __init__(self, space: Space) -> None:
        choices = [
            [(group, dict(zip(group.members, order, strict=True))) for order in itertools.permutations(group.members)]
            for group in space.model.symmetry
        ]
        combined = list(itertools.product(*choices))
        self.all = [
            Renaming(space, list(choice))
            for choice in combined
            if any(old != new for _, mapping in choice for old, new in mapping.items())
        ]
        if not self.all:
            raise WorkbenchError("symmetry was asked for, but the model declares no interchangeable slots")

    def least(self, state: State) -> State:
        """The representative of a state."""
        found = state
        for renaming in self.all:
            renamed = renaming.apply(state)
            if len(renamed) > len(found):
                found += (0,) * (len(renamed) - len(found))
            found = min(found, renamed)
        return found

    def refute(self, space: Space, state: State, successors: Callable[[State], set[State]]) -> None:
        """Raise WorkbenchError if a renamed state has other successors or other verdicts than the state."""
        expected = successors(state)
        for renaming in self.all:
            renamed = renaming.apply(state)
            for prop, predicate in zip(space.model.properties, space.predicates, strict=True):
                if predicate.effect(state).holds != predicate.effect(renamed).holds:
                    raise WorkbenchError(f"not symmetric: property {prop.code} changes when slots are exchanged")
            if successors(renamed) != expected:
                raise WorkbenchError("not symmetric: exchanging slots changes what can happen next")
