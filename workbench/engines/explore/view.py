"""The view of a state given to rules, step semantics and properties; it records their reads and writes.

Rule kept here: a function may depend only on what it reads through its view, so the recorded reads determine
the recorded writes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from workbench.engines.explore.numbering import Numbering, Projection, SlotVar
from workbench.engines.explore.positions.positions import Name
from workbench.errors import WorkbenchError


class IdState(Protocol):
    """Value numbers by variable number: a whole state, or the known part of one."""

    def __getitem__(self, index: int, /) -> int: ...


def number_in(state: IdState, index: int) -> int:
    """A variable's number in a state; 0 (its default) when the variable is younger than the state."""
    try:
        return state[index]
    except IndexError:
        return 0


class View:
    """The view of a state during one atomic step. Reads see the state before the step and the writes made so far."""

    __slots__ = ("_actor", "_numbering", "_parts", "_reads", "_seen", "_state", "_writes")

    def __init__(self, numbering: Numbering, state: IdState, actor: Name) -> None:
        self._numbering = numbering
        self._state = state
        self._actor = actor
        self._reads: list[tuple[int, Projection | None, Hashable]] = []
        self._seen: set[tuple[int, Projection | None]] = set()
        self._writes: dict[int, int] = {}
        self._parts: list[tuple[Callable[..., None], tuple[Hashable, ...]]] = []

    def __getitem__(self, var: Hashable) -> Any:
        index = self._numbering.variable(var, self._actor)
        return self._numbering.domains[index].values[self._number(index)]

    def __setitem__(self, var: Hashable, value: Hashable) -> None:
        index = self._numbering.variable(var, self._actor)
        try:
            self._writes[index] = self._numbering.domains[index].number(value)
        except TypeError as error:
            raise WorkbenchError(f"{self._actor}: the value {value!r} of {var!r} is not hashable") from error

    def get(self, var: Hashable, default: Any = None) -> Any:
        """The value of a variable, `default` when the model neither declares it nor has a default for it."""
        if not self._numbering.knows(var):
            return default
        return self[var]

    def ask(self, var: Hashable, question: Callable[[Any], Hashable]) -> Any:
        """Return `question(value)`: narrower than a read of the value, so fewer cases are distinguished.

        `question` must be a pure function and always the same object (a module-level one, say).
        """
        index = self._numbering.variable(var, self._actor)
        domain = self._numbering.domains[index]
        if index in self._writes:
            return question(domain.values[self._writes[index]])
        projection = self._numbering.projection(index, question)
        number = number_in(self._state, index)
        answer = projection.of(number)
        if (index, None) not in self._seen and (index, projection) not in self._seen:
            self._seen.add((index, projection))
            self._reads.append((index, projection, answer))
        return answer

    def part(self, fn: Callable[..., None], *args: Hashable) -> None:
        """Run `fn(view, *args)` in the same atomic step, on the state before the step.

        A part has a decision tree of its own, so a step that touches many independent variables stays
        cheap if each of them is handled by a part. Two parts, or a part and its caller, may not write the
        same variable.
        """
        self._parts.append((fn, args))

    def start(self, slot: Name, program: Name) -> None:
        """Let a slot run a program from its beginning; a program it was running is abandoned."""
        index = self._numbering.variable(SlotVar(slot), self._actor)
        self._writes[index] = self._numbering.domains[index].number(self._numbering.positions.start(program))

    def stop(self, slot: Name) -> None:
        """Make a slot idle."""
        index = self._numbering.variable(SlotVar(slot), self._actor)
        self._writes[index] = self._numbering.domains[index].number(None)

    def idle(self, slot: Name) -> bool:
        """Whether a slot runs no program."""
        return self.ask(SlotVar(slot), _is_idle)

    def position(self, slot: Name) -> Hashable:
        """The position of a slot: equal values mean equal future behaviour; None when idle."""
        return self[SlotVar(slot)]

    def label(self, slot: Name) -> Any:
        """The pending step of a slot; None when idle."""
        found = self.ask(SlotVar(slot), self._numbering.positions.told_apart)
        return None if found is None else found[1]

    def program(self, slot: Name) -> Name | None:
        """The name of the program that a slot runs; None when idle."""
        return self.ask(SlotVar(slot), _program_of)

    def _number(self, index: int) -> int:
        if index in self._writes:
            return self._writes[index]
        number = number_in(self._state, index)
        if (index, None) not in self._seen:
            self._seen.add((index, None))
            self._reads.append((index, None, number))
        return number


def _is_idle(position: Any) -> bool:
    return position is None


def _program_of(position: Any) -> Name | None:
    return None if position is None else position[0]
