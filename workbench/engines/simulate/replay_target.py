"""Replay on the simulator: the operations of ``workbench.core.replay_target`` on a concrete machine.

The rule kept here: a guest access is an entry into the guest, the exit it causes, and the protocol's handler;
the handler's answer is reported unchanged, UNKNOWN included. This file contains no rule of a protocol.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.driver import REGISTER, host_read, host_side, host_write, hypercall, served
from workbench.core.host_state import old_clock
from workbench.core.machine import CLOCK_MASK, Machine
from workbench.core.memory import PAGE_SHIFT
from workbench.core.msr_filter import NO_FILTER, MsrFilter
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Becomes, Outcome
from workbench.core.replay_target import ClockReading, Engine, MachineSpec, Reading
from workbench.core.replay_vmm import Entries, Range, VmmSide
from workbench.core.steps import GUEST, USER, Hypercall, Program, Rdmsr, Side, Wrmsr
from workbench.core.vcpu import Host, Vcpu
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.engines.simulate.straight import Straight


class SimulatedTarget(VmmSide):
    """A simulated machine that carries out replay operations; the same operations give the same bytes.

    With ``log_dirty``, :meth:`dirty_pages` can be asked. With ``straight``, the host's programs run as plain functions,
    which is faster: nothing is counted.
    """

    tells_unknown = True

    def __init__(
        self, spec: MachineSpec, protocol: Protocol, *, log_dirty: bool = False, straight: bool = False
    ) -> None:
        super().__init__()
        host = Host(irqchip=spec.irqchip)
        self._dirty: set[int] = set()  #: page frames of present memory that the host wrote
        self._filter = NO_FILTER
        self._log_dirty = self._logging = log_dirty
        #: Set when a vCPU first enters, or the clock is set: KVM looks for a master clock then, and not before
        #: (arch/x86/kvm/x86.c, kvm_track_tsc_matching, kvm_vm_ioctl_set_clock).
        self._may_have_master = False
        self.protocol = protocol
        self.machine = Machine(Vcpu(index, host=host) for index in range(spec.vcpus))
        self._straight = Straight(self.machine) if straight else None
        if log_dirty:
            self.machine.on_host_store = self._wrote

    # -- memory ----------------------------------------------------------------------------------------

    def add_ram(self, gpa: int, size: int, readonly: bool = False) -> None:
        self.machine.memory.add(gpa, size, readonly=readonly)
        self.memslot_changed(gpa)

    def delete_ram(self, gpa: int) -> None:
        self._lose_log(gpa)
        self.machine.memory.delete(gpa)

    def protect_ram(self, gpa: int, readonly: bool) -> None:
        self._lose_log(gpa)
        self.machine.memory.set_readonly(gpa, readonly)

    def move_ram(self, gpa: int) -> None:
        self._lose_log(gpa)
        self.machine.memory.give_other_pages(gpa)

    def _lose_log(self, gpa: int) -> None:
        """The memslot at ``gpa`` is deleted, if only to be added again: what its dirty log held is lost."""
        slot = self.machine.memory.find(gpa)
        if slot is not None and self._dirty:
            self._dirty.difference_update(slot.frames)
        self.memslot_changed(gpa)

    def store(self, gpa: int, data: bytes) -> Outcome:
        return HANDLED if self.machine.memory.poke(gpa, data, GUEST) else FAULT

    def load(self, gpa: int, size: int) -> bytes | None:
        return self.machine.memory.peek(gpa, size, GUEST)

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) of present RAM that the host wrote since the last call."""
        pages = frozenset(self._dirty)
        self._dirty.clear()
        return pages

    def _wrote(self, gpa: int, size: int, side: Side) -> None:
        first, last = gpa >> PAGE_SHIFT, gpa + size - 1 >> PAGE_SHIFT
        if first == last:  # nearly always
            self._dirty.add(first)
        else:
            self._dirty.update(range(first, last + 1))

    # -- registers -------------------------------------------------------------------------------------

    def wrmsr(self, cpu: int, msr: int, value: int) -> Outcome:
        outcome: Outcome = self._access(cpu, Wrmsr(msr, value))
        return outcome

    def rdmsr(self, cpu: int, msr: int) -> Reading:
        answer = self._access(cpu, Rdmsr(msr))
        return Reading(answer) if isinstance(answer, Outcome) else Reading(HANDLED, answer)

    def host_set_msrs(self, cpu: int, entries: Entries) -> int:
        machine = self.machine
        for number, (msr, value) in enumerate(entries):
            if not self._ran(cpu, host_write, self.protocol, machine.cpus[cpu], msr, value):
                return number
        return len(entries)

    def host_get_msrs(self, cpu: int, registers: Sequence[int]) -> tuple[int, ...]:
        machine = self.machine
        found: list[int] = []
        for msr in registers:
            value = self._ran(cpu, host_read, self.protocol, machine.cpus[cpu], msr)
            if value is None:
                break
            found.append(value)
        return tuple(found)

    def filter_msrs(self, wanted: MsrFilter) -> None:
        self._filter = wanted

    def hypercall(self, cpu: int, number: int, arguments: tuple[int, ...]) -> tuple[int, ...]:
        self.run(cpu)
        answer = self._ran(cpu, hypercall, self.protocol, Hypercall(number, arguments))
        return tuple(one & REGISTER for one in (answer if isinstance(answer, tuple) else (answer,)))

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        cpus = self.machine.cpus
        cpus[cpu] = cpus[cpu].but(cpuid=features, enforce_cpuid=enforce)

    # -- the vCPU and its host -------------------------------------------------------------------------

    def run(self, cpu: int) -> None:
        self._may_have_master = True
        self._on_host(cpu, self.protocol.on_entry, self.machine.cpus[cpu])

    def init(self, cpu: int) -> None:
        self._on_host(cpu, self.protocol.on_init, self.machine.cpus[cpu])

    def kvmclock_ctrl(self, cpu: int) -> bool:
        accepted: bool = self._on_host(cpu, self.protocol.on_guest_stopped, self.machine.cpus[cpu])
        return accepted

    def set_clock(self, ns: int, realtime: int | bool) -> None:
        machine = self.machine
        since = 0 if isinstance(realtime, bool) else max(0, machine.realtime() - realtime)
        machine.set_clock(ns + since)
        self._may_have_master = True
        for cpu in machine.cpus.values():
            self._on_host(cpu.index, self.protocol.on_clock_set, cpu)

    def get_clock(self) -> ClockReading:
        machine = self.machine
        clock = machine.now()
        # Without a master clock KVM does not tell the time of day (arch/x86/kvm/x86.c, get_kvmclock).
        has_master = clock.stable and self._may_have_master and old_clock() not in machine.entries
        return ClockReading(clock.ns & CLOCK_MASK, machine.realtime() if has_master else None)

    def migrate(self, registers: Sequence[int] | None = None, vmm: Vmm = STOPS_SHORT) -> Becomes:
        machine, protocol = self.machine, self.protocol
        cpus = tuple(machine.cpus.values())
        by_list = not protocol.answers_itself and (registers is not None or vmm is not STOPS_SHORT)
        lists = (self.carried(cpu.index, vmm) if registers is None else registers for cpu in cpus)
        listed = [self.read_listed(cpu.index, wanted) for cpu, wanted in zip(cpus, lists, strict=True) if by_list]
        saved = () if by_list else self._on_host(0, protocol.save, cpus)
        arrived = self.arrived()
        left = _Left(machine, self._dirty)
        if arrived is not None:
            self._fill(arrived)
        machine.entries.clear()
        refused = sum(self.restore_listed(cpu, entries, vmm) for cpu, entries in enumerate(listed))
        if not by_list:
            self._on_host(0, protocol.restore, cpus, saved)
        if vmm.ends(refused):
            left.go_on(machine, self._dirty)
            return vmm.becomes
        self._logging = self._log_dirty
        self._may_have_master = True  # the VMM has set the destination's clock
        return Becomes.LESS if refused else Becomes.GOES_ON

    def close(self) -> None:
        """Do nothing: the machine holds only memory of this process."""

    # -- what the VMM's operations are made of (``core.replay_vmm``) ------------------------------------------

    def vcpu_count(self) -> int:
        return len(self.machine.cpus)

    def offered(self, cpu: int) -> frozenset[int]:
        return self.machine.cpus[cpu].cpuid

    def memslots(self) -> list[Range]:
        return [(slot.gpa, slot.end) for slot in self.machine.memory.slots]

    def content(self) -> Iterator[tuple[int, bytes]]:
        return ((frame, bytes(data)) for frame, data in list(self.machine.memory.pages.present.items()) if any(data))

    def page(self, frame: int) -> bytes:
        return self.machine.memory.load(frame << PAGE_SHIFT, 1 << PAGE_SHIFT)

    def write_page(self, frame: int, data: bytes) -> None:
        self.machine.memory.poke(frame << PAGE_SHIFT, data, USER)

    def begin_log(self) -> None:
        if not self._logging:
            self._logging = True
            self.machine.memory.log_begins()
        self.take_log()

    def take_log(self) -> set[int]:
        self._dirty.clear()
        memory = self.machine.memory
        written = [gpa for slot in memory.slots for gpa in memory.dirty_log(slot.gpa)]
        return {gpa >> PAGE_SHIFT for gpa in (*written, *memory.vmm_dirty())}

    def served(self) -> MutableMapping[Any, Any]:
        return self.machine.entries

    # -- inside ----------------------------------------------------------------------------------------

    def _access(self, cpu: int, step: Wrmsr | Rdmsr) -> Any:
        self.run(cpu)
        answer: Any = FAULT
        is_denied = self._filter.denies(step.msr)
        if not is_denied:
            _, answer = self._ran(cpu, served, self.protocol, step)
        if (is_denied or answer is UNKNOWN) and not self.protocol.answers_itself:
            self.run(cpu)  # the VMM is told (KVM_EXIT_X86_RDMSR, WRMSR), and calls KVM_RUN again
        return answer

    def _ran(self, cpu: int, stream: Callable[..., Program], *arguments: Any) -> Any:
        """Run a stream of the driver."""
        if self._straight is not None:
            return self._straight.run(cpu, stream, *arguments)
        return self.machine.run(cpu, stream(*arguments))

    def _on_host(self, cpu: int, handler: Callable[..., Program], *arguments: Any) -> Any:
        """Run a handler of the host."""
        if self._straight is not None:
            return self._straight.run(cpu, handler, *arguments)
        return self.machine.run(cpu, host_side(handler(*arguments)))


class _Left:
    """The host that a migration leaves: its entries and memory, in case the destination does not take the machine."""

    def __init__(self, machine: Machine, dirty: set[int]) -> None:
        self._entries = dict(machine.entries)
        self._pages = {frame: bytes(data) for frame, data in machine.memory.pages.present.items()}
        self._logs = [set(slot.dirty) for slot in machine.memory.slots]
        self._dirty = set(dirty)
        dirty.clear()  # the dirty log belongs to the host that is left

    def go_on(self, machine: Machine, dirty: set[int]) -> None:
        """Let the machine go on where it was."""
        machine.entries.clear()
        machine.entries.update(self._entries)
        pages = machine.memory.pages.present
        pages.clear()
        pages.update((frame, bytearray(data)) for frame, data in self._pages.items())
        for slot, log in zip(machine.memory.slots, self._logs, strict=True):
            slot.dirty = log
        dirty.clear()
        dirty |= self._dirty


ENGINE = Engine("sim", lambda: None, SimulatedTarget)
