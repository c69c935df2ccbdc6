"""A protocol tried by hand, one operation at a time, with every step recorded.

    trial = Trial("generic")
    trial.register("kvmclock", 0x1000)       # an Account: the steps of guest, kernel and VMM, and the result

The measurements count whole events; a trial shows single steps, on the machine of
:class:`workbench.engines.simulate.by_hand.Bench`. Each operation returns an :class:`Account`, whose text form is a
table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from textwrap import wrap
from typing import Any, NamedTuple

from workbench.clayout.value import Value
from workbench.core.contracts import Feature, Protocol
from workbench.core.relay import relayed
from workbench.core.step_text import step_text, value_text
from workbench.core.steps import AllVcpus, Backed, Get, Load, Program, Share, Side, Store
from workbench.engines.simulate.by_hand import Bench
from workbench.measure.variants import Variant, features_of, variant

WIDTH = 72
#: Steps whose answer is shown.
ASKING = (Load, Get, Backed, Share, AllVcpus)


class Taken(NamedTuple):
    """One step that was taken: the side that took it, the step, its answer, and the watched bytes after it."""

    side: Side
    step: Any
    answer: Any
    watched: bytes


@dataclass(frozen=True)
class Account:
    """What one operation did: its steps in order, what the program returned, and the exits by class."""

    what: str
    steps: tuple[Taken, ...]
    result: Any
    exits: Counter[str]
    lines: tuple[str, ...]  #: one text for each step
    before: bytes = b""  #: the watched bytes before the first step

    def __repr__(self) -> str:
        rows = [_row(number, *pair) for number, pair in enumerate(zip(self.steps, self.lines, strict=True), 1)]
        last = wrap(f"result: {told(self.result)}; {self.exits_text}", WIDTH, subsequent_indent="  ")
        return "\n".join([self.what, *rows, *last])

    @property
    def exits_text(self) -> str:
        """The exits as text, such as ``1 exit (kernel)``."""
        kinds = [kind for kind in ("kernel", "user") if self.exits[f"{kind}_exits"]]
        count = self.exits["exits"]
        return f"{count or 'no'} exit{'' if count == 1 else 's'}" + (f" ({', '.join(kinds)})" if kinds else "")


def told(value: Any) -> str:
    """Return an answer as text: structs without zero padding, enum members by their value."""
    if isinstance(value, Value):
        return repr(value)
    return str(value.value) if isinstance(value, Enum) else value_text(value)


def answer_text(taken: Taken) -> str:
    """Return the step's answer as text; empty where the answer says nothing."""
    return told(taken.answer) if type(taken.step) in ASKING else ""


def _row(number: int, taken: Taken, text: str) -> str:
    head = f"{number:3}  {taken.side.name.lower():6}  "
    answer = answer_text(taken)
    body = f"{text}  ->  {answer}" if answer else text
    lines = wrap(body, WIDTH - len(head), break_long_words=False, break_on_hyphens=False)
    return "\n".join([head + lines[0], *(" " * len(head) + "  " + line for line in lines[1:])])


class Trial(Bench):
    """A bench for a protocol, given by name, class or variant; each operation returns its :class:`Account`.

    ``machine``: the arguments of :class:`Bench` (vcpus, abi, host ...). ``watch``: a range of guest memory (gpa,
    bytes), recorded after every step. Raises WorkbenchError for an unknown protocol, feature or vCPU.
    """

    def __init__(
        self, protocol: str | type[Protocol] | Variant, features: Sequence[str | Feature] | None = None, *,
        watch: tuple[int, int] = (0, 0), **machine: Any,
    ) -> None:  # fmt: skip
        if not isinstance(protocol, type):
            protocol = variant(protocol) if isinstance(protocol, str) else protocol
            super().__init__(protocol.protocol(features_of(protocol, features)), **machine)
        else:
            super().__init__(protocol(features_of(Variant.of(protocol), features)), **machine)
        self.watch = watch

    def run(self, what: str, cpu: int, stream: Program) -> Account:
        """Run one operation and return what it did."""
        before, watched = Counter(self.counts), self._watched()
        steps: list[Taken] = []

        def noted(sided: tuple[Side, Any]) -> Program:
            answer = yield sided
            steps.append(Taken(*sided, answer, self._watched()))
            return answer

        result = self.machine.run(cpu, relayed(stream, noted))
        exits = Counter(self.counts)
        exits.subtract(before)
        lines = tuple(self._text(cpu, taken.step) for taken in steps)
        return Account(what, tuple(steps), result, exits, lines, watched)

    def _text(self, cpu: int, step: Any) -> str:
        if type(step) is Store and isinstance(step.value, Value):
            return f"store {told(step.value)} at {step.gpa:#x}"
        vcpu, descriptor = self.machine.cpus[cpu], self.protocol.descriptor
        if descriptor is not None and type(step) is Store and step.gpa == vcpu.descriptor:
            return step_text(step, descriptor.on(vcpu.abi))
        return step_text(step)

    def _watched(self) -> bytes:
        gpa, size = self.watch
        return self.memory.peek(gpa, size) or b""
