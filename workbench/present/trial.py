"""A machine on which a protocol is tried by hand: one operation at a time, every step of it on paper.

    trial = Trial("generic")
    trial.register("kvmclock", 0x1000)       # an Account: the steps of guest, kernel and VMM, and the result

The measurements count whole events; here one looks at a single instruction. RAM is [0, 2 MiB), the descriptor of
vCPU n is at 0x8000 + 0x100 * n. What an operation did is an :class:`Account`, whose text form is a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from textwrap import wrap
from typing import Any, NamedTuple

from workbench.clayout.abi import Abi
from workbench.clayout.value import Value
from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.driver import guest_side, host_side
from workbench.core.host_state import VM, area
from workbench.core.machine import Machine
from workbench.core.step_text import step_text, value_text
from workbench.core.steps import AllVcpus, Backed, Get, Load, Program, Rdmsr, Share, Side, Store, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.measure.variants import Variant, variant

RAM_END = 0x20_0000
SCRATCH = 0x8000
WIDTH = 72
#: Steps whose answer tells the reader something.
ASKING = (Load, Get, Backed, Share, AllVcpus)


class Taken(NamedTuple):
    """One step that was taken: by whom, what it was, its answer, and what the watched bytes were then."""

    side: Side
    step: Any
    answer: Any
    watched: bytes


@dataclass(frozen=True)
class Account:
    """What one operation came to: its steps in order, what the program returned, and the exits by class."""

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
        """The exits in words, such as ``1 exit (kernel)``."""
        kinds = [kind for kind in ("kernel", "user") if self.exits[f"{kind}_exits"]]
        count = self.exits["exits"]
        return f"{count or 'no'} exit{'' if count == 1 else 's'}" + (f" ({', '.join(kinds)})" if kinds else "")


def told(value: Any) -> str:
    """Return an answer as people write it: structs without their blank padding, words of the closed sets as words."""
    if isinstance(value, Value):
        return repr(value)
    return str(value.value) if isinstance(value, Enum) else value_text(value)


def answer_text(taken: Taken) -> str:
    """Return what came back, where that says something; else nothing."""
    return told(taken.answer) if type(taken.step) in ASKING else ""


def _row(number: int, taken: Taken, text: str) -> str:
    head = f"{number:3}  {taken.side.name.lower():6}  "
    answer = answer_text(taken)
    body = f"{text}  ->  {answer}" if answer else text
    lines = wrap(body, WIDTH - len(head), break_long_words=False, break_on_hyphens=False)
    return "\n".join([head + lines[0], *(" " * len(head) + "  " + line for line in lines[1:])])


class Trial:
    """A guest of a few vCPUs under one protocol; ``adapt`` are fields of :class:`Vcpu` (abi, host ...).

    ``watch`` is a range of guest memory (gpa, bytes) that is noted after every step.
    Raises WorkbenchError for a protocol, feature or vCPU that is not there.
    """

    def __init__(
        self, protocol: str | type[Protocol] | Variant, features: Sequence[str] | None = None, *,
        vcpus: int = 1, watch: tuple[int, int] = (0, 0), abi: Abi = Abi.X86_64, **circumstances: Any,
    ) -> None:  # fmt: skip
        chosen = choose(None if features is None else list(features))
        if isinstance(protocol, str):
            protocol = variant(protocol)
        self.protocol = protocol.protocol(chosen) if isinstance(protocol, Variant) else protocol(chosen)
        records = [Vcpu(n, SCRATCH + 0x100 * n, abi, **circumstances) for n in range(vcpus)]
        self.machine = Machine(records)
        self.memory = self.machine.memory
        self.memory.add(0, RAM_END)
        self.watch = watch
        self._layout = self.protocol.descriptor.on(abi) if self.protocol.descriptor is not None else None

    # -- the guest -----------------------------------------------------------------------------------

    def guest(self, program: Program, cpu: int = 0, *, cpl: int = 0, what: str = "guest program") -> Account:
        """Run a guest program on vCPU ``cpu`` to its end."""
        return self._record(f"{what}, vCPU {cpu}", cpu, guest_side(self.protocol, program, cpl=cpl))

    def prepare(self, name: str, gpa: int, cpu: int = 0) -> Account:
        """The guest brings an area into the state that its ABI asks for."""
        return self.guest(_feature(name).prepare(gpa), cpu, what=f"prepare {name} at {gpa:#x}")

    def register(self, name: str, gpa: int, cpu: int = 0) -> Account:
        """The guest registers a feature at ``gpa``."""
        feature = _feature(name)
        if not self.protocol.supports(feature):
            raise WorkbenchError(f"protocol {self.protocol.name!r} has no way to name the feature {name!r}")
        program = self.protocol.register(self._cpu(cpu), feature, gpa)
        return self.guest(program, cpu, what=f"register {name} at {gpa:#x}")

    def unregister(self, name: str, gpa: int, cpu: int = 0) -> Account:
        """The guest revokes a feature."""
        program = self.protocol.unregister(self._cpu(cpu), _feature(name), gpa)
        return self.guest(program, cpu, what=f"revoke {name}")

    def read(self, name: str, gpa: int, cpu: int = 0) -> Account:
        """The guest reads a payload as its ABI says."""
        return self.guest(_feature(name).read(gpa), cpu, what=f"read {name} at {gpa:#x}")

    def wrmsr(self, msr: int, value: int, cpu: int = 0, *, cpl: int = 0) -> Account:
        """The guest writes a register; the result is HANDLED or FAULT."""
        return self.guest(_one(Wrmsr(msr, value)), cpu, cpl=cpl, what=f"WRMSR {msr:#x} = {value:#x}")

    def rdmsr(self, msr: int, cpu: int = 0) -> Account:
        """The guest reads a register; the result is its value, or FAULT."""
        return self.guest(_one(Rdmsr(msr)), cpu, what=f"RDMSR {msr:#x}")

    # -- the host ------------------------------------------------------------------------------------

    def host(self, program: Program, cpu: int = 0, *, what: str = "host program") -> Account:
        """Run a host program for vCPU ``cpu`` to its end."""
        return self._record(f"{what}, vCPU {cpu}", cpu, host_side(program))

    def enter(self, cpu: int = 0) -> Account:
        """The vCPU enters the guest: updates that are due are delivered."""
        return self.host(self.protocol.on_entry(self._cpu(cpu)), cpu, what="enter the guest")

    def update(self, name: str, gpa: int, cpu: int = 0) -> Account:
        """The host writes a payload once, wherever it is registered."""
        program = _feature(name).update(cpu, gpa, self.machine.now())
        return self.host(program, cpu, what=f"update {name} at {gpa:#x}")

    def init(self, cpu: int = 0) -> Account:
        """The vCPU receives INIT."""
        return self.host(self.protocol.on_init(self._cpu(cpu)), cpu, what="INIT")

    def migrate(self) -> tuple[Any, ...]:
        """Save, arrive with the same memory on a host that remembers nothing, restore; return what was carried."""
        cpus = tuple(self.machine.cpus.values())
        saved: tuple[Any, ...] = self.machine.run(0, host_side(self.protocol.save(cpus)))
        self.machine.entries.clear()
        self.machine.run(0, host_side(self.protocol.restore(cpus, saved)))
        return saved

    # -- questions -----------------------------------------------------------------------------------

    def serves(self, name: str, owner: int | None = None) -> int | None:
        """Return where the host writes a feature of ``owner`` now (vCPU 0, or the VM); None if nowhere."""
        feature = _feature(name)
        if owner is None:
            owner = VM if feature.scope == "vm" else 0
        found: int | None = self.machine.entries.get(area(owner, name))
        return found

    def state(self) -> list[StateEntry]:
        """Return what a migration would have to carry."""
        return self.protocol.state(self.machine.entries, tuple(self.machine.cpus.values()))  # type: ignore[arg-type]

    # -- inside --------------------------------------------------------------------------------------

    def _cpu(self, index: int) -> Vcpu:
        if index not in self.machine.cpus:
            raise WorkbenchError(f"vCPU {index}: this machine has vCPUs 0 to {len(self.machine.cpus) - 1}")
        return self.machine.cpus[index]

    def _record(self, what: str, cpu: int, stream: Program) -> Account:
        self._cpu(cpu)
        before, watched = Counter(self.machine.counts), self._watched()
        steps: list[Taken] = []
        result = self.machine.run(cpu, _noted(stream, steps, self._watched))
        exits = Counter(self.machine.counts)
        exits.subtract(before)
        lines = tuple(self._text(cpu, taken.step) for taken in steps)
        return Account(what, tuple(steps), result, exits, lines, watched)

    def _text(self, cpu: int, step: Any) -> str:
        if type(step) is Store and isinstance(step.value, Value):
            return f"store {told(step.value)} at {step.gpa:#x}"
        at_descriptor = type(step) is Store and step.gpa == self._cpu(cpu).descriptor
        return step_text(step, self._layout if at_descriptor else None)

    def _watched(self) -> bytes:
        gpa, size = self.watch
        return self.memory.peek(gpa, size) or b""


def _feature(name: str) -> Feature:
    if name not in FEATURES:
        raise WorkbenchError(f"unknown feature {name!r}; known: {', '.join(FEATURES)}")
    return FEATURES[name]


def _one(step: Any) -> Program:
    return (yield step)


def _noted(stream: Program, steps: list[Taken], look: Callable[[], bytes]) -> Program:
    """Pass a stream of (side, step) on, writing each step down once its answer is known."""
    answer: Any = None
    while True:
        try:
            side, step = stream.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = yield side, step
        steps.append(Taken(side, step, answer, look()))
