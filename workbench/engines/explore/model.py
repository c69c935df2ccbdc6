"""Describes a model for the explorer: variables, guarded rules, slots that run generator programs, properties.

Rule kept here: a model is data and pure functions. Everything that may change while it runs is a variable
or the position of a slot; none of it may be in attributes of the author's objects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workbench.engines.explore.positions.positions import Name, Objection, Program
from workbench.engines.explore.view import View
from workbench.errors import WorkbenchError

Semantics = Callable[[Any, Any, View], Any]
Alternatives = Callable[[Any], Sequence[Any] | None]


class _Blocked:
    """The type of BLOCKED: `semantics` returns it for a step that cannot be taken in this state."""

    def __repr__(self) -> str:
        return "BLOCKED"


BLOCKED: Final = _Blocked()


@dataclass(frozen=True)
class Rule:
    """An atomic guarded command: `fn(view)` is deterministic and returns False where it is not enabled."""

    name: Name
    fn: Callable[[View], bool | None]


@dataclass(frozen=True)
class Property:
    """`always`: the predicate holds in every reachable state; `sometimes`: in at least one.

    `premise` says in which states the property is about something; where it never holds, the property is not exercised.
    `culprits` returns the names of what violates an `always` property in a state, none if it holds there; it then takes
    the place of `predicate`, and the states are also counted for each name.
    """

    code: str
    name: str
    kind: str
    predicate: Callable[[View], bool]
    premise: Callable[[View], bool] | None = None
    culprits: Callable[[View], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("always", "sometimes"):
            raise WorkbenchError(f"property {self.code}: kind {self.kind!r} is not one of always, sometimes")


def _same_variable(var: Hashable, _mapping: Mapping[Any, Any]) -> Hashable:
    return var


def _member_slot(name: Name, mapping: Mapping[Any, Any]) -> Name:
    found: Name = mapping.get(name, name)
    return found


def _same_program(name: Name, _mapping: Mapping[Any, Any]) -> Name:
    return name


def _same_value(_var: Hashable, value: Hashable, _mapping: Mapping[Any, Any]) -> Hashable:
    return value


@dataclass(frozen=True)
class Symmetry:
    """Slots (or members of any other kind) that may be exchanged without changing what the model does.

    A mapping takes each member to the member that replaces it. `variable` renames a variable, `program` the name of a
    program, `value` a value held by a variable, `slot` a slot, `answer(step, answer, mapping)` what a program received
    for a step (without it, `value(None, answer, mapping)`). Names that belong to no member stay as they are. The
    defaults rename slots that are members, and nothing else.

    `step` renames a step; steps that differ only in the order of the things they name get the same result. With it,
    every step of every program is compared with the renamed one, so an asymmetric program is refused.
    `text` formats a step for a message. `home(steps)` is the renaming that turns a trace of the symmetric model into
    one of the original model, None if it is one already. `alone` is a variable: where it differs from its initial
    value, a state counts as one when the states behind the representatives are counted.
    """

    members: tuple[Any, ...]
    variable: Callable[[Hashable, Mapping[Any, Any]], Hashable] = _same_variable
    program: Callable[[Any, Mapping[Any, Any]], Name] = _same_program
    value: Callable[[Hashable, Any, Mapping[Any, Any]], Any] = _same_value
    slot: Callable[[Any, Mapping[Any, Any]], Name] = _member_slot
    answer: Callable[[Any, Any, Mapping[Any, Any]], Any] | None = None
    step: Callable[[Any, Mapping[Any, Any]], Hashable] | None = None
    text: Callable[[Any], str] = repr
    home: Callable[[Sequence[Any]], Mapping[Any, Any] | None] | None = None
    alone: Hashable = None


class SymmetryError(WorkbenchError):
    """The model is not symmetric as declared, or its symmetry cannot be checked."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not symmetric: {why}")
        self.why = why


@dataclass
class Model:
    """A transition system; see the fields. Slots with program None are idle at the beginning.

    `ending(view)` is true in states where the model may stop; without it, in states where all slots are
    idle. `default(var)` gives the initial value of a variable that is not declared.
    `alternatives(step)`: if a yielded step offers a choice of steps, these steps, any one of which may be taken
    next; the program receives the step that was taken. None for every other step. `choices` is the largest
    number of alternatives that a slot may offer (1 by default). `max_positions` bounds the positions of one
    program: a program that exceeds it is reported as never-ending. `objection(program)` says what is wrong with a
    suspended generator, None if nothing is.
    """

    variables: Mapping[Hashable, Hashable] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    slots: Mapping[Any, Name | None] = field(default_factory=dict)
    programs: Mapping[Any, Program] = field(default_factory=dict)
    semantics: Semantics | None = None
    properties: Sequence[Property] = ()
    default: Callable[[Hashable], Hashable] | None = None
    ending: Callable[[View], bool] | None = None
    symmetry: Sequence[Symmetry] = ()
    alternatives: Alternatives | None = None
    choices: Mapping[Any, int] = field(default_factory=dict)
    max_positions: int = 10_000
    objection: Objection | None = None

    def check(self) -> None:
        """Raise WorkbenchError for names that clash or are not defined."""
        _refuse_duplicates("rule", [rule.name for rule in self.rules])
        _refuse_duplicates("property", [prop.code for prop in self.properties])
        for slot, program in self.slots.items():
            if program is not None and program not in self.programs:
                known = ", ".join(sorted(map(str, self.programs))) or "none"
                raise WorkbenchError(f"slot {slot}: no program {str(program)!r}; programs: {known}")
        if self.slots and self.semantics is None:
            raise WorkbenchError("the model has slots but no semantics for their steps")


def _refuse_duplicates(what: str, names: list[Any]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise WorkbenchError(f"two {what} entries are called {str(name)!r}")
