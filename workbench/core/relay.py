"""Loops that run a program (a generator of steps): two pass its steps on, the third answers them.

The driver of guest programs and host handlers (``workbench.core.driver``) and the machine's loop do not use them, for
speed: they run for every step of every simulation.
"""

from collections.abc import Callable
from itertools import repeat
from typing import Any

from workbench.core.rules.place import MOST_STEPS, at_step, never_ends
from workbench.core.steps import Program


def relayed(program: Program, pass_on: Callable[[Any], Program]) -> Program:
    """Run ``program`` and hand each of its steps to ``pass_on``; return what the program returns.

    ``pass_on(step)`` is a generator: it yields the steps that replace the step, and returns the answer that the
    program receives.
    """
    answer: Any = None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        # Drop the old answer: it must not make two otherwise equal positions differ (explore/positions).
        answer = None
        answer = yield from pass_on(step)


def driven(program: Program, carry_out: Callable[[Any], Any]) -> Any:
    """Run ``program`` to its end, answering each step by ``carry_out(step)``; return what the program returns."""
    answer: Any = None
    for _ in repeat(None, MOST_STEPS):
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        try:
            answer = carry_out(step)
        except Exception as error:  # noqa: BLE001 - any error of a step is told with the place that yields it
            raise at_step(error, program, step) from None
    raise never_ends(program, MOST_STEPS)


def limited(program: Program, most: int) -> Program:
    """Pass on the steps of ``program`` and return its result; raise AuthorError if there are more than ``most``."""
    answer: Any = None
    for _ in repeat(None, most):
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = yield step
    raise never_ends(program, most)
