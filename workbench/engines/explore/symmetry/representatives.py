"""One representative for all states that differ only by exchanging interchangeable slots.

Rule kept here: the representative is the least of all renamed states, so it does not depend on the order
in which states are met. The author claims that the model is symmetric; the claim is checked on what the search meets
(here each renamed position, the rest in `workbench.engines.explore.symmetry.check`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.engines.explore.model import Symmetry, SymmetryError
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.positions.positions import Name, Position
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Space
from workbench.errors import WorkbenchError

Group = tuple[Symmetry, Mapping[Any, Any]]


class Renaming:
    """One permutation of slots: the target of each variable, and the renamed values."""

    def __init__(self, space: Space, groups: list[Group]) -> None:
        self.space = space
        self.groups = groups
        self.targets: list[int] = []
        self.values: list[dict[int, int]] = []
        self._positions: dict[Position, Any] = {}

    @property
    def moved(self) -> int:
        """The number of members that are exchanged."""
        return sum(old != new for _, mapping in self.groups for old, new in mapping.items())

    def target(self, index: int) -> int:
        """The variable that variable `index` becomes."""
        while len(self.targets) <= index:
            self._extend()
        return self.targets[index]

    def number(self, index: int, number: int) -> int:
        """The number, in the target variable, of a renamed value."""
        target, known = self.target(index), self.values[index]
        if number not in known:
            value = self.space.domains[index].values[number]
            known[number] = self.space.domains[target].number(self._value(self.space.names[index], value))
        return known[number]

    def apply(self, state: State) -> State:
        """The renamed state, as wide as the space, which may grow here."""
        placed = [(self.target(index), self.number(index, number)) for index, number in enumerate(state) if number]
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
            raise SymmetryError(
                f"{name!r} starts as {self.space.domains[index].values[0]!r}, "
                f"{renamed!r} as {self.space.domains[self.targets[index]].values[0]!r}"
            )

    def _name(self, name: Any) -> Any:
        for group, mapping in self.groups:
            if isinstance(name, SlotVar):
                name = SlotVar(group.slot(name.name, mapping))
            else:
                name = group.variable(name, mapping)
        return name

    def _value(self, name: Any, value: Any) -> Any:
        if isinstance(name, SlotVar):
            return self._position(value)
        for group, mapping in self.groups:
            value = group.value(name, value, mapping)
        return value

    def answer(self, step: Any, answer: Any) -> Any:
        """The answer that a renamed program receives where the program receives `answer` for `step`."""
        for group, mapping in self.groups:
            answer = group.value(None, answer, mapping) if group.answer is None else group.answer(step, answer, mapping)
        return answer

    def _position(self, at: Any) -> Any:
        return None if at is None else self.position(at[0], self.space.positions.table[at[0]][at[1]])

    def position(self, program: Name, position: Position) -> Any:
        """The position that the renamed program reaches by the renamed answers; raises SymmetryError if none."""
        chain = [position]
        while chain[-1] not in self._positions and chain[-1].came_from is not None:
            chain.append(chain[-1].came_from)
        for place in reversed(chain):
            if place not in self._positions:
                self._positions[place] = self._reached(program, place)
        return self._positions[position]

    def _reached(self, program: Name, place: Position) -> Any:
        positions = self.space.positions
        if place.came_from is None:
            for group, mapping in self.groups:
                program = group.program(program, mapping)
            here = positions.start(program)
        else:
            here = self.advance(self._positions[place.came_from], place.came_from.step, place.answer)
        if here is None:
            raise SymmetryError(f"{program} ends where another goes on")
        self._compare(here[0], place.step, positions.step(here))
        return here

    def advance(self, here: Any, step: Any, answer: Any) -> Any:
        """The position after `here` of a renamed program, where the program has `answer` for `step`."""
        try:
            return self.space.positions.advance(here, self.answer(step, answer))
        except WorkbenchError as error:
            raise SymmetryError(f"with slots exchanged, {error}") from error

    def _compare(self, program: Name, step: Any, other: Any) -> None:
        """Raise SymmetryError if `other` is not the renamed `step`."""
        renamed, expected = step, other
        for group, mapping in self.groups:
            if group.step is None:
                return
            renamed = group.step(renamed, mapping)
            expected = group.step(expected, {member: member for member in mapping})
        if renamed != expected:
            text = self.groups[0][0].text
            raise SymmetryError(f"where one has {text(step)!r}, {program} has {text(other)!r}")


class Renamings:
    """All permutations of slots except the identity, with a cache of their results."""

    def __init__(self, space: Space) -> None:
        self.space = space
        choices = [
            [(group, dict(zip(group.members, order, strict=True))) for order in itertools.permutations(group.members)]
            for group in space.model.symmetry
        ]
        found = [Renaming(space, list(choice)) for choice in itertools.product(*choices)]
        self.all = [renaming for renaming in found if renaming.moved]
        if not self.all:
            raise WorkbenchError("symmetry was asked for, but the model declares no interchangeable slots")
        #: Exchanges of two members; every other permutation is a sequence of these.
        self.swaps = [renaming for renaming in self.all if renaming.moved == 2]

    def least(self, state: State) -> State:
        """The representative of a state."""
        found = state
        for renaming in self.all:
            renamed = renaming.apply(state)
            if len(renamed) > len(found):
                found += (0,) * (len(renamed) - len(found))
            found = min(found, renamed)
        return found

    def home(self, steps: Sequence[Any]) -> Renaming | None:
        """The renaming that gives a trace of these steps the author's numbering; None if it has it already."""
        homes = [group.home(steps) if group.home else None for group in self.space.model.symmetry]
        if not any(homes):
            return None
        groups = self.space.model.symmetry
        pairs = zip(groups, homes, strict=True)
        wanted = [home or {member: member for member in group.members} for group, home in pairs]
        return next(found for found in self.all if [mapping for _, mapping in found.groups] == wanted)

    # -- checks ---------------------------------------------------------------------------------------

    def refute(self, state: State, successors: Callable[[State], set[State]]) -> None:
        """Raise SymmetryError if a renamed state has other successors or other verdicts than the state.

        Exchanges of two members suffice if they are also applied to every result.
        """
        space, expected = self.space, successors(state)
        for renaming in self.swaps:
            renamed = renaming.apply(state)
            for prop, predicate in zip(space.model.properties, space.predicates, strict=True):
                if predicate.effect(state).holds != predicate.effect(renamed).holds:
                    raise SymmetryError(f"property {prop.code} changes when slots are exchanged")
            found, wanted = successors(renamed), {renaming.apply(successor) for successor in expected}
            width = len(space.names)
            if {_wide(one, width) for one in found} != {_wide(one, width) for one in wanted}:
                raise SymmetryError("exchanging slots changes what can happen next")

    def compare_programs(self) -> None:
        """Raise SymmetryError unless renamed programs follow every answer met so far with the renamed step.

        Renaming may produce answers that the search has not met: those are compared as well.
        """
        positions = self.space.positions
        for renaming in self.swaps:
            for program in list(positions.table):
                for position in positions.table[program]:  # which may grow during the loop
                    self._compare_answers(renaming, program, position)

    def _compare_answers(self, renaming: Renaming, program: Name, position: Position) -> None:
        positions = self.space.positions
        here = renaming.position(program, position)
        for (_, answer), index in list(position.after.items()):
            there = None if index is None else renaming.position(program, positions.table[program][index])
            if renaming.advance(here, position.step, answer) != there:
                text = renaming.groups[0][0].text
                raise SymmetryError(f"{program} and another go on otherwise after {text(position.step)!r}")


def _wide(state: State, width: int) -> State:
    return state + (0,) * (width - len(state))
