"""Numbers the variables of a model and their values; views and actions share these numbers.

Rule kept here: a number, once given, never changes. The initial value of a variable has number 0; others follow
in the order in which they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from workbench.engines.explore.positions.positions import Name, Positions
from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class SlotVar:
    """The variable that holds the position of slot `name`: None when idle, else (program, index)."""

    name: Name

    def __repr__(self) -> str:
        return f"slot {self.name}"


class Domain:
    """The values that a variable was seen to take, numbered from its initial value (0) on."""

    __slots__ = ("numbers", "values")

    def __init__(self, initial: Hashable) -> None:
        self.values: list[Any] = [initial]
        self.numbers: dict[Any, int] = {initial: 0}

    def number(self, value: Hashable) -> int:
        """The number of a value; a new value gets the next one."""
        found = self.numbers.get(value)
        if found is None:
            found = self.numbers[value] = len(self.values)
            self.values.append(value)
        return found


class Projection:
    """The remembered answers of a pure function of one variable: value number -> answer."""

    __slots__ = ("answers", "domain", "question")

    def __init__(self, domain: Domain, question: Callable[[Any], Hashable]) -> None:
        self.domain = domain
        self.question = question
        self.answers: dict[int, Hashable] = {}

    def of(self, number: int) -> Hashable:
        """The answer for the value with this number."""
        try:
            return self.answers[number]
        except KeyError:
            answer = self.answers[number] = self.question(self.domain.values[number])
            return answer


class Numbering:
    """All variables of a model, by number: their names and domains; and the positions of its programs.

    `default(var)` gives the initial value of a variable that is not declared; without it all must be.
    """

    def __init__(self, positions: Positions, default: Callable[[Hashable], Hashable] | None) -> None:
        self.positions = positions
        self.names: list[Hashable] = []
        self.domains: list[Domain] = []
        self._default = default
        self._index: dict[Hashable, int] = {}
        self._projections: dict[tuple[int, Any], Projection] = {}

    def declare(self, name: Hashable, value: Hashable) -> int:
        """Number a variable and its initial value. Raises WorkbenchError for a value that is not hashable."""
        try:
            self.domains.append(Domain(value))
        except TypeError as error:
            raise WorkbenchError(f"the initial value {value!r} of {name!r} is not hashable") from error
        self._index[name] = len(self.names)
        self.names.append(name)
        return self._index[name]

    def knows(self, var: Hashable) -> bool:
        """Whether a variable is declared or has a default."""
        return var in self._index or self._default is not None

    def variable(self, var: Hashable, actor: Name) -> int:
        """The number of a variable; one that was not declared is added with its default.

        Raises WorkbenchError, naming the actor, for one that has none.
        """
        found = self._index.get(var)
        if found is not None:
            return found
        if isinstance(var, SlotVar):
            slots = ", ".join(str(known.name) for known in self.names if isinstance(known, SlotVar))
            raise WorkbenchError(f"{actor}: no slot {str(var.name)!r}; slots: {slots or 'none'}")
        if self._default is None:
            raise WorkbenchError(f"{actor}: no variable {var!r}, and the model has no default for new ones")
        return self.declare(var, self._default(var))

    def projection(self, index: int, question: Callable[[Any], Hashable]) -> Projection:
        """The remembered answers of a function of a variable."""
        key = (index, question)
        if key not in self._projections:
            self._projections[key] = Projection(self.domains[index], question)
        return self._projections[key]
