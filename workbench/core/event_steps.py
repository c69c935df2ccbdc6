"""The steps of lifecycle events, which act on a whole virtual machine.

An event's ``happen`` is a generator of these steps. The simulator carries them out one after the other, after the guest
has booted; the explorer interleaves them with the guest's programs in every order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from workbench.core.outcome import Becomes
from workbench.core.relay import limited, relayed
from workbench.core.rules.place import MOST_EVENT_STEPS
from workbench.core.slots import ProgramName
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError


class GuestCall(NamedTuple):
    """A guest program with arguments, comparable by value: ``GuestCall(kernel.boot_as, (3,))``."""

    function: Callable[..., Program]
    arguments: tuple[Any, ...] = ()

    def __call__(self, cpu: Vcpu) -> Program:
        return self.function(cpu, *self.arguments)

    def __repr__(self) -> str:
        return _called(self)

    @property
    def __name__(self) -> str:
        return self.function.__name__


#: A guest program that is not yet running: calling it with the vCPU's record returns the generator.
#: GuestCall is listed because a type checker does not look for ``__call__`` on a tuple.
GuestProgram = Callable[[Vcpu], Program] | GuestCall


class HostCall(NamedTuple):
    """A host program with its arguments, comparable by value: ``HostCall(save_on, (scenario,))``."""

    function: Callable[..., Program]
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> Program:
        return self.function(*self.arguments)

    def __repr__(self) -> str:
        return _called(self)


def _called(call: GuestCall | HostCall) -> str:
    """Return a call as text: Python's own would show the address of the function, another one in each process."""
    name = getattr(call.function, "__name__", type(call.function).__name__)
    return f"{type(call).__name__}({', '.join([name, *map(repr, call.arguments)])})"


class Start(NamedTuple):
    """vCPU ``cpu`` abandons the guest code that it runs and starts ``program`` at privilege level ``cpl``."""

    cpu: int
    program: GuestProgram
    cpl: int = 0


class Begin(NamedTuple):
    """A Start step with its program given by name, because bound methods of two equal kernels do not compare equal."""

    cpu: int
    program: ProgramName


class Wait(NamedTuple):
    """Wait until vCPU ``cpu`` has finished its program."""

    cpu: int


class Stop(NamedTuple):
    """vCPU ``cpu`` runs no further guest code (unplugged, or halted by a crash)."""

    cpu: int


class Enter(NamedTuple):
    """vCPU ``cpu`` enters the guest once: the payload updates that are due are delivered."""

    cpu: int


class Init(NamedTuple):
    """vCPU ``cpu`` receives INIT; the host resets the state that the architecture and the protocol define."""

    cpu: int


class Pause(NamedTuple):
    """All vCPUs stop at an instruction boundary, while no host handler runs."""


class Resume(NamedTuple):
    """The vCPUs run again after a Pause."""


class NewHost(NamedTuple):
    """The machine, with its memory, is now on another host, which holds none of its host state.

    ``changes`` are pairs of a name and its value there: a field of Host, or what that host's VMM sets in the records of
    the vCPUs (``cpuid``, ``enforce_cpuid``), e.g. ``(("knows_protocol", False),)``.
    """

    changes: tuple[tuple[str, Any], ...] = ()


class Becoming(NamedTuple):
    """The VMM has restored or prepared the machine, and this is what becomes of it; GOES_ON if nothing was refused.

    If that is its end, its vCPUs run no more, and its host's state and what its guest believes are gone.
    """

    becomes: Becomes


class SendMemory(NamedTuple):
    """The VMM begins to log writes (KVM_MEM_LOG_DIRTY_PAGES) and sends all memory; the vCPUs run on.

    From now to NewHost, the destination has what was sent, and no more. ``own_log``: the VMM also sends the pages that
    it has itself written, which KVM's log does not show.
    """

    own_log: bool = True


class SendDirty(NamedTuple):
    """The VMM reads the dirty log, which is clear then (KVM_GET_DIRTY_LOG), and sends the pages that it names.

    ``last``: it does not read the log again.
    """

    last: bool = False


class OnHost(NamedTuple):
    """The VMM runs a host program (save, restore); the answer is the program's return value."""

    cpu: int
    program: HostCall


class AddMemslot(NamedTuple):
    """The VMM adds a memslot of fresh memory."""

    gpa: int
    size: int
    readonly: bool = False


class DeleteMemslot(NamedTuple):
    """The VMM deletes the memslot that begins at ``gpa`` (memory hot-unplug)."""

    gpa: int


class MoveMemslot(NamedTuple):
    """The VMM moves the memslot that begins at ``gpa`` to ``to``, with its content."""

    gpa: int
    to: int


class Reassign(NamedTuple):
    """These units of guest memory get a new owner: a new kernel, or the page allocator.

    ``keeps_registered``: a guest that goes on keeps what it still believes registered, such as an area whose revocation
    was refused.
    """

    units: tuple[Any, ...]
    keeps_registered: bool = False


class KernelGone(NamedTuple):
    """The guest kernel on these vCPUs ends; its programs, and the notes of what it believes registered, are dropped."""

    cpus: tuple[int, ...]


class WaitAll(NamedTuple):
    """Wait until all these vCPUs have finished their programs."""

    cpus: tuple[int, ...]


class Each(NamedTuple):
    """One turn for each of several vCPUs, in any order and interleaved in any way.

    A turn is a sequence of steps of one vCPU that have no answer: Start, Wait, Stop, Enter. If a real machine handles
    the vCPUs one after the other, the event must not use Each (docs/decisions/0004).
    """

    turns: tuple[tuple[Any, ...], ...]

    def next_steps(self) -> tuple[Any, ...]:
        """The first step of every turn: any of them may be taken now."""
        return tuple(turn[0] for turn in self.turns)

    def after(self, step: Any) -> Each:
        """The Each that remains after ``step``, one of the next steps, has been taken."""
        left = (turn[1:] if turn[0] == step else turn for turn in self.turns)
        return Each(tuple(turn for turn in left if turn))

    def check(self) -> None:
        """Raise WorkbenchError unless every turn has steps of one vCPU only, a different one in each turn."""
        cpus = [{step.cpu for step in turn if type(step) in _SILENT} for turn in self.turns]
        if any(type(step) not in _SILENT for turn in self.turns for step in turn):
            known = ", ".join(kind.__name__ for kind in _SILENT)
            raise WorkbenchError(f"a lifecycle event yielded {self!r}; the steps of a turn are: {known}")
        if any(len(one) != 1 for one in cpus) or len(set().union(*cpus)) != len(cpus):
            raise WorkbenchError(f"a lifecycle event yielded {self!r}, which is not one turn for each of its vCPUs")


#: Steps of one vCPU that have no answer.
_SILENT = (Start, Wait, Stop, Enter)


def each(cpus: Iterable[int], *turn: Callable[[int], Any]) -> Each:
    """Return the Each in which every one of ``cpus`` has a turn of these steps: ``each(range(4), Enter)``."""
    return Each(tuple(tuple(step(cpu) for step in turn) for cpu in cpus))


def in_order(program: Program) -> Program:
    """Return an event's steps for an engine that runs a single schedule: one complete turn after the other."""

    def one_by_one(step: Any) -> Program:
        if type(step) is Each:
            step.check()
            yield from (own for turn in step.turns for own in turn)
            return None
        if type(step) is WaitAll:
            yield from (Wait(cpu) for cpu in step.cpus)
            return None
        return (yield step)

    return relayed(limited(program, MOST_EVENT_STEPS), one_by_one)
