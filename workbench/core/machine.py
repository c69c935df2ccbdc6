"""A concrete machine: guest memory, vCPUs and host state, with counts of all accesses and an optional trace.

The machine knows no protocol. It carries out steps (through ``workbench.core.transition``), keeps the
records and the virtual clock, and answers questions about the result.

An exit is counted when the vCPU leaves the guest, never for a Load or Store to RAM. Its class is
``kernel`` if KVM handles it, ``user`` if the VMM has to.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import repeat
from typing import Any, NamedTuple

from workbench.core.address_cache import memslots_changed
from workbench.core.host_state import Key
from workbench.core.memory import PAGE_SIZE, GuestMemory
from workbench.core.rules.place import MORE_STEPS, MOST_STEPS, at_step, never_ends
from workbench.core.sent_memory import SentMemory
from workbench.core.steps import GUEST, KERNEL, USER, Exit, Load, Moment, Program, Side, Store, StoreMapped, ToUser
from workbench.core.transition import perform, size_of
from workbench.core.updates import counter, under_way
from workbench.core.vcpu import MAX_VCPUS, Vcpu
from workbench.errors import WorkbenchError

#: The Unix time on which virtual hosts agree; any fixed number would do, this is the date of the 2011 mail.
EPOCH_NS = 1_296_039_614 * 1_000_000_000
#: One tick of virtual time per step, in nanoseconds; a TSC of 2 GHz.
TICK_NS = 100
TSC_PER_NS = 2
CLOCK_MASK = (1 << 64) - 1


class Access(NamedTuple):
    """One recorded access: its vCPU and side, the step, the bytes touched, and the kind of exit it was part of."""

    cpu: int
    side: str  #: guest, kernel, user
    cause: str  #: the step, e.g. "load", "store", "wrmsr 0x4b564d03"
    exit: str  #: none, kernel, user
    gpa: int | None
    size: int  #: bytes of guest memory touched


class Machine:
    """Guest memory, vCPU records and host entries; a World for the transition function.

    ``seed`` sets the start of the virtual clock; the same seed gives the same bytes.
    """

    _update: Any = None  #: the program of the last update of a payload of which a byte arrived

    def __init__(self, cpus: Iterable[Vcpu], *, encrypted: bool = False, seed: int = 0, trace: bool = False) -> None:
        self.cpus = {cpu.index: cpu for cpu in cpus}
        if not 1 <= len(self.cpus) <= MAX_VCPUS:
            raise WorkbenchError(f"a machine of {len(self.cpus)} vCPUs: allowed are 1 to {MAX_VCPUS}")
        self.most_steps = MOST_STEPS + MORE_STEPS * len(self.cpus)  #: of one program
        self.memory = GuestMemory(encrypted=encrypted)
        self.memory.on_change = self._memslots_changed
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}  # the last value of every entry that ever existed
        self.notes: dict[Hashable, Any] = {}
        self.counts: Counter[str] = Counter()
        self.sent: SentMemory | None = None  # memory on its way to another host
        self.trace: list[Access] | None = [] if trace else None
        self.on_host_store: Callable[[int, int, Side], None] | None = None
        self._start_ns = 1_000_000 + (seed * 7919) % 1_000_000
        self.ticks = 0  #: steps so far, of all programs: the machine's clock
        self._clock_offset = 0  # of KVM_SET_CLOCK
        self._kernel_exit = False  # KVM is handling an exit that it may still pass to user space

    # -- running programs ---------------------------------------------------------------------------

    def run(self, cpu: int, program: Program) -> Any:
        """Run a stream of (side, step) to its end, one step after the other; return its result."""
        answer: Any = None
        send = program.send
        counts = self.counts
        trace = self.trace
        began = self.ticks
        self._kernel_exit = False
        try:
            for _ in repeat(None, self.most_steps):
                side, step = send(answer)
                self.ticks += 1
                told = 0 if trace is None else len(trace)
                try:
                    answer = perform(self, cpu, side, step)
                except Exception as error:  # noqa: BLE001 - any error of a step is told with the place that yields it
                    raise at_step(error, program, step) from None
                kind = type(step)
                if kind is Store or kind is Load:
                    counts[_MEMORY[kind, side]] += 1
                    if trace is not None and len(trace) == told:  # otherwise it was an exit, and touched no memory
                        self._record_memory(cpu, side, step, answer)
                if side is not GUEST and answer and (kind is Store or kind is StoreMapped):
                    self._count_update(program)
            raise never_ends(program, self.most_steps)
        except StopIteration as stop:
            return stop.value
        finally:
            counts["steps"] += self.ticks - began

    # -- the World of the transition function --------------------------------------------------------

    def peek(self, gpa: int, size: int, side: Side) -> bytes | None:
        return self.memory.peek(gpa, size, side)

    def poke(self, gpa: int, data: bytes, side: Side, *, logged: bool = True) -> bool:
        done = self.memory.poke(gpa, data, side, logged=logged)
        if side is not GUEST:
            if self.sent is not None:
                self.sent.host_wrote = True
            self.counts["host_writes_arrived" if done else "host_writes_failed"] += 1
            if done and self.on_host_store is not None:
                self.on_host_store(gpa, len(data), side)
        return done

    def mark_dirty(self, gpa: int, size: int, side: Side) -> None:
        self.memory.mark_dirty(gpa, size, side)

    def backed(self, gpa: int, size: int, side: Side) -> bool:
        return self.memory.reachable(gpa, size, side, write=True)

    def host_reaches(self, gpa: int, size: int) -> bool:
        """Tell whether KVM could write all of [gpa, gpa+size) now."""
        return self.memory.reachable(gpa, size, KERNEL, write=True)

    def share(self, gpa: int, size: int, shared: bool) -> int:
        return self.memory.share(gpa, size, shared)

    def cover(self, gpa: int, side: Side) -> bool:
        done = self.memory.cover(gpa, side)
        if done and self.on_host_store is not None:
            self.on_host_store(gpa, PAGE_SIZE, side)
        return done

    def uncover(self, gpa: int) -> bool:
        return self.memory.uncover(gpa)

    def get(self, key: Hashable) -> Any:
        return self.entries.get(key)

    def set(self, key: Hashable, value: Any) -> None:
        if value is None:
            self.entries.pop(key, None)
        else:
            self.entries[key] = self.ever[key] = value

    def note(self, key: Hashable, value: Any) -> None:
        if value is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = value

    def now(self) -> Moment:
        ns = self._uptime()
        return Moment(ns + self._clock_offset & CLOCK_MASK, ns * TSC_PER_NS, ns // 10)

    def _uptime(self) -> int:
        return self._start_ns + self.ticks * TICK_NS

    def realtime(self) -> int:
        """Return the time of day in ns."""
        return EPOCH_NS + self._uptime()

    def set_clock(self, ns: int) -> None:
        """Let the machine's clock go on from ``ns``."""
        self._clock_offset = ns - self._uptime()

    def leave(self, cpu: int, step: Exit) -> Vcpu:
        counts = self.counts
        counts["exits"] += 1
        counts[step.cause + "_exits"] += 1
        self._kernel_exit = True
        counts["kernel_exits"] += 1
        if self.trace is not None:
            self.trace.append(Access(cpu, "guest", f"{step.cause} {step.number:#x}", "kernel", None, 0))
        return self.cpus[cpu]

    def to_user(self, cpu: int, step: ToUser) -> None:
        # An exit that KVM passes to the VMM is counted once, in its final class. A handler that the VMM itself
        # called (KVM_SET_MSRS) is not part of an exit.
        if not self._kernel_exit:
            return
        self._kernel_exit = False
        self.counts["kernel_exits"] -= 1
        self.counts["user_exits"] += 1
        if self.trace is not None:
            self.trace.append(Access(cpu, "kernel", f"to user: {step.reason}", "user", None, 0))

    def vcpus(self) -> tuple[int, ...]:
        return tuple(self.cpus)

    def quiesce(self, cpu: int) -> None:
        # Each program runs to its end before the next one starts, so there is nothing to wait for.
        self.counts["quiesces"] += 1

    def _memslots_changed(self) -> None:
        memslots_changed(self.entries, self.get, self.set)

    # -- questions -----------------------------------------------------------------------------------

    def host_entries(self, kind: str) -> dict[Key, Any]:
        """Return the host's entries of this ``kind`` (see ``workbench.core.host_state``)."""
        return {key: value for key, value in self.entries.items() if isinstance(key, Key) and key.kind == kind}

    def _count_update(self, program: Program) -> None:
        """Count the update that the host's program is in, at the first of its bytes that arrives."""
        if self._update is not None and self._update.gi_frame is not None:
            return  # it has not ended, so it is this one
        update = under_way(program)
        if update is not None:
            self._update = update.program
            self.counts[counter(update.feature)] += 1

    def _record_memory(self, cpu: int, side: Side, step: Load | Store, answer: Any) -> None:
        assert self.trace is not None
        if isinstance(step, Load):
            cause, size = "load", size_of(step.what)
        else:
            cause, size = "store", _stored_size(step)
        if answer is None or answer is False:
            size = 0  # the host could not reach it
        self.trace.append(Access(cpu, side.name.lower(), cause, "none", step.gpa, size))


def _stored_size(step: Store) -> int:
    if step.what is not None:
        return size_of(step.what)
    return len(step.value) if isinstance(step.value, bytes) else int(step.value.layout.size)


_MEMORY = {
    (Load, GUEST): "guest_loads",
    (Load, KERNEL): "host_loads",
    (Load, USER): "host_loads",
    (Store, GUEST): "guest_stores",
    (Store, KERNEL): "host_stores",
    (Store, USER): "host_stores",
}
