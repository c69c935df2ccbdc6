"""What a column is asked with, and what it answers."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from workbench.core.contracts import Feature
from workbench.engines.explore import FAILS
from workbench.measure.comparison.runs import Measured, measured
from workbench.measure.exploration.cells import Cell as Verdict
from workbench.measure.likeness.checklist import Answer, likeness
from workbench.measure.variants import Variant
from workbench.measure.verdict.scope import Scope, pieces


class Cell(NamedTuple):
    """The answer of one column about one design."""

    text: str  #: as it stands in the table
    rank: float | None  #: smaller is better; None: it cannot be compared
    seen: str  #: what was seen, a sentence
    command: tuple[str, ...]  #: the command line that shows it, in pieces between which its line may be broken


@dataclass(frozen=True)
class Asked:
    """One design, with what it carries and what was explored of it."""

    variant: Variant
    named: str  #: the design, as a command line names it
    scope: Scope
    verdicts: tuple[Verdict, ...]  #: its cells of the failure matrix
    repaired: tuple[Verdict, ...] | None  #: those with every mitigation; None where it has none, or they were not asked

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """What it carries."""
        return self.scope.carried(self.variant)

    def run(self, event: str, vcpus: int) -> Measured:
        """Return the measured run of an event, simulated."""
        from workbench.lifecycle import EVENTS

        return measured(self.variant, self.features, vcpus, EVENTS[event])

    @cached_property
    def likeness(self) -> Mapping[str, Answer]:
        """The answers to the checklist of hardware."""
        return likeness(self.variant, self.features)

    def failing(self, *codes: str, event: str = "") -> list[Verdict]:
        """Return the cells that fail: of these properties (none named: all), of one event (none named: every one)."""
        return [
            cell
            for cell in self.verdicts
            if cell.verdict == FAILS and (not codes or cell.property in codes) and event in ("", cell.event)
        ]

    def command(self, command: str, *rest: str) -> tuple[str, ...]:
        """Return the command line ``workbench command ...`` for this design and its features."""
        return (f"workbench {command}", *pieces("--protocols", [self.named]), *self.scope.feature_pieces(), *rest)

    def check(self) -> tuple[str, ...]:
        """Return the command line that checks what the design says of itself."""
        return ("workbench check", shlex.quote(self.named), *self.scope.feature_pieces())

    def matrix(self, *rest: str) -> tuple[str, ...]:
        """Return the command line that explores what was explored of this design; ``rest``: its events, and more."""
        sizes = self.scope.explored_pieces(self.variant)
        return ("workbench matrix", *pieces("--protocols", [self.named]), *sizes, *rest)


@dataclass(frozen=True)
class Column:
    """One column: ``criterion`` is the word by which a reader weighs it."""

    name: str
    title: str  #: what the column says, a sentence without its full stop
    criterion: str
    ask: Callable[[Asked], Cell]
