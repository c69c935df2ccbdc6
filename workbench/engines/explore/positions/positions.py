"""Finds what a generator does next by running it, once per position and answer, and remembers it.

Rule kept here: a generator is never copied. To find what follows an answer, the history of answers is
replayed in two fresh generators, which must agree.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.rules.place import by_author, raised, suspended
from workbench.core.rules.values import unhashable
from workbench.engines.explore.positions.generator_state import (
    OpaqueError,
    differing_locals,
    require_generator,
    snapshot,
)
from workbench.errors import AuthorError, WorkbenchError

#: The name of a slot, a program or a rule: any value; only messages and traces turn it into text.
Name = Hashable
SlotValue = tuple[Name, int] | None  # None: idle
#: Says what is wrong with a suspended program, None if nothing is.
Objection = Callable[[types.GeneratorType], str | None]
_Runs = tuple[types.GeneratorType, types.GeneratorType]


@dataclass(frozen=True)
class Program:
    """`make()` returns a fresh generator of steps; called often, so it must not have side effects."""

    name: Name
    make: Callable[[], Generator[Any, Any, Any]]


class Position:
    """One place where a program can be suspended: its pending step and how it was first reached."""

    __slots__ = ("after", "answer", "came_from", "index", "step")

    def __init__(self, index: int, step: Hashable, came_from: Position | None, answer: Any) -> None:
        self.index = index
        self.step = step
        self.came_from = came_from
        self.answer = answer
        self.after: dict[Any, int | None] = {}

    def history(self) -> list[Position]:
        """The positions from the start of the program up to this one."""
        chain: list[Position] = [self]
        while chain[-1].came_from is not None:
            chain.append(chain[-1].came_from)
        return chain[::-1]


class Positions:
    """All positions of all programs of a model, by program name and index.

    `merging`: two histories of answers that leave a program in the same state are the same position. Without it
    each history is a position of its own and `limit` is ignored; this is cheaper for a walk along a single path.
    """

    def __init__(
        self, programs: Mapping[Any, Program], limit: int, merging: bool = True, objection: Objection | None = None
    ) -> None:
        self.objection = objection
        self.programs = programs
        self.limit = limit
        self.merging = merging
        self.table: dict[Name, list[Position]] = {}
        self.known: dict[Name, dict[Any, int]] = {}
        self.runs: dict[Position, _Runs] = {}
        self.executed = 0  # generator steps executed

    def start(self, program: Name) -> SlotValue:
        """The position at which a program waits before its first step; None if it has no step."""
        if program not in self.table:
            if program not in self.programs:
                known = ", ".join(sorted(map(str, self.programs))) or "none"
                raise WorkbenchError(f"no program {str(program)!r} to start; programs: {known}")
            self.table[program], self.known[program] = [], {}
            self._add(program, self._fresh(program), None, None)
        return (program, 0) if self.table[program] else None

    def step(self, at: tuple[Name, int]) -> Any:
        """The step pending at a position."""
        return self.table[at[0]][at[1]].step

    def suspended(self, at: tuple[Name, int]) -> types.GeneratorType:
        """A generator suspended at a position."""
        runs = self._at(at[0], self.table[at[0]][at[1]])
        return runs[0]

    def told_apart(self, at: SlotValue) -> tuple[Any, Any] | None:
        """The step pending at a position, with its types: named tuples of two types compare equal in Python."""
        if at is None:
            return None
        step = self.step(at)
        return _types(step), step

    def advance(self, at: tuple[Name, int], answer: Any) -> SlotValue:
        """The position that follows when the pending step gets this answer; None when the program ends."""
        program = at[0]
        position = self.table[program][at[1]]
        key = (type(answer), answer)
        try:
            if key not in position.after:
                runs = self._at(program, position)
                position.after[key] = self._add(program, runs, position, answer)
        except TypeError as error:
            if _hashable(answer):
                raise
            raise WorkbenchError(
                f"program {program}, step {position.step!r}: the answer {answer!r} is not hashable"
            ) from error
        index = position.after[key]
        return None if index is None else (program, index)

    def _fresh(self, program: Name) -> _Runs:
        make = self.programs[program].make
        return require_generator(str(program), make()), require_generator(str(program), make())

    def _at(self, program: Name, position: Position) -> _Runs:
        """Two generators suspended at a position: kept from an earlier step, or replayed to it."""
        if position in self.runs:
            return self.runs.pop(position)
        runs = self._fresh(program)
        for place in position.history():
            for run in runs:
                ended, step = self._resume(program, run, place.came_from, place.answer)
                if ended or step != place.step:
                    shown = "ended" if ended else f"yielded {step!r}"
                    raise WorkbenchError(
                        f"program {program} is not deterministic: it yielded {place.step!r}, "
                        f"and on replay with the same answers {shown}"
                    )
        return runs

    def _resume(
        self, program: Name, run: types.GeneratorType, previous: Position | None, answer: Any
    ) -> tuple[bool, Any]:
        self.executed += 1
        try:
            return False, (next(run) if previous is None else run.send(answer))
        except StopIteration:
            return True, None
        except WorkbenchError:
            raise
        except BaseException as error:
            if not by_author(error):
                raise
            where = "at its start" if previous is None else f"after step {previous.step!r}"
            raise WorkbenchError(f"program {program} raised {raised(error)} {where}") from error

    def _add(self, program: Name, runs: _Runs, previous: Position | None, answer: Any) -> int | None:
        """Resume both runs with the answer; return the index of the position they reach, None when they end."""
        (ended, step), (ended_too, step_too) = (self._resume(program, run, previous, answer) for run in runs)
        if ended != ended_too or step != step_too:
            shown, other = ("its end" if e else repr(s) for e, s in ((ended, step), (ended_too, step_too)))
            raise WorkbenchError(
                f"program {program} is not deterministic: with the same answers it came to {shown} and to {other}"
            )
        if ended:
            return None
        if not _hashable(step):
            inner = step[1] if type(step) is tuple else step
            raise AuthorError(f"{suspended(runs[0])}: {unhashable(inner)}")
        if self.objection is not None and (wrong := self.objection(runs[0])):
            raise AuthorError(wrong)
        key = self._key(runs, previous, answer, step)
        table, known = self.table[program], self.known[program]
        if key not in known:
            position = Position(len(table), step, previous, answer)
            known[key] = position.index
            table.append(position)
            self.runs[position] = runs
            if self.merging and len(table) > self.limit:
                self._never_ends(program)
        return known[key]

    def _key(self, runs: _Runs, previous: Position | None, answer: Any, step: Any) -> Any:
        if not self.merging:
            return previous, type(answer), answer
        try:
            return (type(step), step, snapshot(*runs))
        except (OpaqueError, RecursionError):
            chain = previous.history()[1:] if previous else []
            return (
                "history",
                tuple((type(place.answer), place.answer) for place in chain),
                type(answer),
                answer,
            )

    def _never_ends(self, program: Name) -> None:
        last = self.table[program][-5:]
        names = differing_locals([self._at(program, position)[0] for position in last])
        blame = f"; locals that differ each time: {', '.join(names)}" if names else ""
        raise WorkbenchError(
            f"program {program} never ends: more than {self.limit} positions, the last with step "
            f"{last[-1].step!r}{blame}"
        )


def _types(value: Any) -> Any:
    return (type(value), *map(_types, value)) if isinstance(value, tuple) else type(value)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
