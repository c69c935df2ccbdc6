"""Driving a program from outside: every loop that passes its steps on, or answers them, is one of these two.

The driver of guest programs and host handlers (``workbench.core.driver``) and the machine's own loop are written out,
because they run for every step of every simulation.
"""

from collections.abc import Callable
from typing import Any

from workbench.core.steps import Program


def relayed(program: Program, pass_on: Callable[[Any], Program]) -> Program:
    """Run ``program`` and hand each of its steps to ``pass_on``; return what the program returns.

    ``pass_on(step)`` is a generator: it yields whatever is to happen instead of the step, and returns the answer
    that the program receives.
    """
    answer: Any = None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        # What was answered before must not tell apart two positions that are otherwise equal (explore/positions).
        answer = None
        answer = yield from pass_on(step)


def driven(program: Program, carry_out: Callable[[Any], Any]) -> Any:
    """Run ``program`` to its end, answering each step by ``carry_out(step)``; return what the program returns."""
    answer: Any = None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = carry_out(step)
