"""Replay on real KVM: the operations of ``workbench.core.replay_target`` on a VM of this host.

The rules kept here:

* KVM's own code is the host for the registers that the protocol leaves to it; the MSR filter hides KVM's other
  paravirtual registers; the protocol's handlers answer for the registers that it serves itself.
* A register that KVM does not know is UNKNOWN: KVM passes such accesses to user space, which answers #GP
  (KVM_CAP_X86_USER_SPACE_MSR, mask UNKNOWN). Without that capability all refusals are FAULT.
* :meth:`KvmTarget.reset` makes a used machine equal to a new one as far as replays can observe, and checks it.
"""

import time
from collections.abc import Callable, Hashable, Iterator, MutableMapping, Sequence
from functools import partial
from typing import Any, TypeVar

from workbench.core.address_cache import memslots_changed
from workbench.core.contracts import Protocol
from workbench.core.driver import REGISTER, host_side, hypercall, served
from workbench.core.msr_filter import MsrFilter
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Becomes, Outcome
from workbench.core.pages import PAGE_SHIFT, PAGE_SIZE
from workbench.core.replay_target import ClockReading, Engine, MachineSpec, Reading
from workbench.core.replay_vmm import Entries, Range, VmmSide
from workbench.core.steps import Hypercall, Rdmsr, Wrmsr
from workbench.core.vcpu import Host
from workbench.core.vcpu import Vcpu as Record
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.engines.kvm import state
from workbench.engines.kvm.api.exits import MsrExit, MsrReason
from workbench.engines.kvm.api.ioctl import CAP_USER_SPACE_MSR, KvmError
from workbench.engines.kvm.guest.exit_answers import MsrAnswer, all_ones
from workbench.engines.kvm.probe import probe
from workbench.engines.kvm.replay_machine import ReplayMachine
from workbench.engines.kvm.world import KvmWorld, backs
from workbench.errors import EngineError

T = TypeVar("T")


class KvmTarget(VmmSide):
    """A real VM that carries out replay operations. With ``log_dirty``, :meth:`dirty_pages` can be asked."""

    def __init__(self, spec: MachineSpec, protocol: Protocol, *, log_dirty: bool = False) -> None:
        super().__init__()
        self.protocol = protocol
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}
        self.under: dict[int, bytes] = {}
        self.notes: dict[Hashable, Any] = {}
        self._spec, self._log_dirty = spec, log_dirty
        self._forget()
        self._answered: dict[int, Any] = {}
        #: VMs that the machine has left, by the CPUID bits that they offer: destinations of later migrations.
        self._others: dict[Hashable, ReplayMachine] = {}
        self._here = self._open()
        self.guest = self._here.guest
        self.tells_unknown = bool(self.guest.vm.has(CAP_USER_SPACE_MSR))
        self._worlds = [KvmWorld(self, cpu) for cpu in range(spec.vcpus)]

    def _open(self) -> ReplayMachine:
        opened = ReplayMachine(self._spec, self.protocol, self._answer, log_dirty=self._log_dirty)
        opened.guest.serve(all_ones, self._call)
        return opened

    def _forget(self) -> None:
        for table in (self.entries, self.ever, self.notes):
            table.clear()
        self.snapshot_taken = self.rounds = None
        host = Host(irqchip=self._spec.irqchip)
        self.records = {cpu: Record(cpu, host=host) for cpu in range(self._spec.vcpus)}

    # -- memory ----------------------------------------------------------------------------------------

    def add_ram(self, gpa: int, size: int, readonly: bool = False) -> None:
        self._here.ram.add(gpa, size, readonly=readonly)
        self.memslot_changed(gpa)

    def delete_ram(self, gpa: int) -> None:
        self._here.ram.delete(gpa)
        self.memslot_changed(gpa)

    def protect_ram(self, gpa: int, readonly: bool) -> None:
        self._here.ram.protect(gpa, readonly)
        self.memslot_changed(gpa)

    def move_ram(self, gpa: int) -> None:
        self._here.ram.move(gpa)
        self.memslot_changed(gpa)

    def store(self, gpa: int, data: bytes) -> Outcome:
        self._here.ram.settle()
        if not backs(self.guest, gpa, len(data), writable=True):
            return FAULT
        self.guest.memory.write(gpa, data)
        return HANDLED

    def load(self, gpa: int, size: int) -> bytes | None:
        self._here.ram.settle()
        return self.guest.memory.read(gpa, size) if backs(self.guest, gpa, size, writable=False) else None

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) of present RAM that guest or KVM wrote since the last call."""
        return self._here.ram.dirty_pages()

    # -- registers -------------------------------------------------------------------------------------

    def wrmsr(self, cpu: int, msr: int, value: int) -> Outcome:
        self._before_entry(cpu)
        result = self.guest.wrmsr(cpu, msr, value)
        return self._refusal(cpu) if result.outcome is FAULT else result.outcome

    def rdmsr(self, cpu: int, msr: int) -> Reading:
        self._before_entry(cpu)
        result = self.guest.rdmsr(cpu, msr)
        return Reading(self._refusal(cpu)) if result.outcome is FAULT else Reading(HANDLED, result.value)

    def host_set_msrs(self, cpu: int, entries: Entries) -> int:
        self._here.ram.settle()
        kvms = _before(self.guest.deflected, entries, lambda entry: entry[0])
        vcpu = self.guest.vcpu(cpu)
        return self.guest.call(cpu, lambda: vcpu.set_msrs(kvms))

    def host_get_msrs(self, cpu: int, registers: Sequence[int]) -> tuple[int, ...]:
        kvms = _before(self.guest.deflected, registers, lambda msr: msr)
        vcpu = self.guest.vcpu(cpu)
        return tuple(self.guest.call(cpu, lambda: vcpu.get_msrs(kvms)))

    def filter_msrs(self, wanted: MsrFilter) -> None:
        self._here.filter_msrs(wanted)

    def hypercall(self, cpu: int, number: int, arguments: tuple[int, ...]) -> tuple[int, ...]:
        if number not in self.protocol.hypercalls:
            raise EngineError(
                f"hypercall {number} is none of the protocol's, and KVM's own are not tried: VMCALL at CPL 0 never "
                "ends where guest kernel code is emulated (kvm_pvm); use --engine sim"
            )
        self._before_entry(cpu)
        value = self.guest.call(cpu, partial(self.guest.executor(cpu).hypercall, number, arguments)).value
        return tuple(one & REGISTER for one in (value if isinstance(value, tuple) else (value,)))

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        try:
            self.guest.call(cpu, partial(self._here.set_cpuid, cpu, features, enforce))
        except KvmError as error:
            raise EngineError(
                f"vCPU {cpu} has entered the guest: KVM takes other CPUID bits only before that ({error})"
            ) from None
        self.records[cpu] = self.records[cpu].but(cpuid=features, enforce_cpuid=enforce)

    # -- the vCPU and its host -------------------------------------------------------------------------

    def run(self, cpu: int) -> None:
        self._before_entry(cpu)
        self.guest.nop(cpu)

    def init(self, cpu: int) -> None:
        if not self._spec.irqchip:
            raise EngineError("INIT comes through the LAPIC; this machine has none in the kernel (irqchip)")
        self._here.ram.settle()
        self.guest.init(cpu)
        if self.protocol.answers_itself:
            self._worlds[cpu].carry_out(host_side(self.protocol.on_init(self.records[cpu])))

    def kvmclock_ctrl(self, cpu: int) -> bool:
        self._here.ram.settle()
        if "kvmclock" in self.protocol.native or not self.protocol.answers_itself:
            return self._here.tell_stopped(cpu)
        return bool(self._on_host(self.protocol.on_guest_stopped(self.records[cpu])))

    def set_clock(self, ns: int, realtime: int | bool) -> None:
        now = time.time_ns() if realtime is True else realtime
        self._here.set_clock(ns, None if now is False else now)
        if self.protocol.answers_itself:
            for record in self.records.values():
                self._on_host(self.protocol.on_clock_set(record))

    def get_clock(self) -> ClockReading:
        clock = self.guest.vm.get_clock()
        return ClockReading(clock.clock, clock.realtime if clock.tells_realtime else None)

    def migrate(self, registers: Sequence[int] | None = None, vmm: Vmm = STOPS_SHORT) -> Becomes:
        lists = [self.carried(cpu, vmm) if registers is None else registers for cpu in self.records]
        saved = state.save(self.guest, lists, own_cpuid=True)
        own = self._on_host(self.protocol.save(tuple(self.records.values()))) if self.protocol.answers_itself else ()
        arrived = self.arrived()
        destination = self._destination()
        try:
            pages = self.content() if arrived is None else arrived.items()
            arrive = partial(destination.take_over, self._here, saved, pages, self.records.values(), vmm)
            refused = destination.guest.call(0, arrive)
        except BaseException:
            destination.close()
            raise
        if vmm.ends(refused):
            self._leave(destination)
            return vmm.becomes
        self._leave(self._here)
        self._here = destination
        self.guest = destination.guest
        self.entries.clear()
        if self.protocol.answers_itself:
            self._on_host(self.protocol.restore(tuple(self.records.values()), own))
        return Becomes.LESS if refused else Becomes.GOES_ON

    def _destination(self) -> ReplayMachine:
        """Return a VM without memory: a new one, or one that the machine has left before, after a reset.

        A VM that has run keeps its CPUID bits, so it can be used only for a machine with the same bits.
        """
        other = self._others.pop(tuple(self._here.offered.values()), None)
        if other is None:
            return self._open()
        other.clear()
        other.ram.begin_again()
        return other

    def _leave(self, machine: ReplayMachine) -> None:
        bits = tuple(machine.offered.values())
        if bits in self._others:
            machine.close()
        else:
            self._others[bits] = machine

    def _on_host(self, program: Any) -> Any:
        return self._worlds[0].carry_out(host_side(program))

    def within(self, job: Callable[[], T]) -> T:
        """Run ``job`` in the thread of the vCPUs, where operations need no change of threads until a migration."""
        return self.guest.call(0, job)

    # -- what the VMM's operations are made of (``core.replay_vmm``) ------------------------------------------

    def vcpu_count(self) -> int:
        return self._spec.vcpus

    def offered(self, cpu: int) -> frozenset[int]:
        return self.records[cpu].cpuid

    def memslots(self) -> list[Range]:
        return [(slot.gpa, slot.end) for slot in self._here.ram.slots]

    def content(self) -> Iterator[tuple[int, bytes]]:
        return self._here.ram.content()

    def page(self, frame: int) -> bytes:
        return self.guest.memory.read(frame << PAGE_SHIFT, PAGE_SIZE)

    def write_page(self, frame: int, data: bytes) -> None:
        self.guest.memory.write(frame << PAGE_SHIFT, data, through_readonly=True)

    def memslot_changed(self, gpa: int) -> None:
        super().memslot_changed(gpa)
        self._tell_our_side()

    def _tell_our_side(self) -> None:
        """Tell our own host side that memslots have changed; KVM sees their generation."""
        memslots_changed(self.entries, self.entries.get, self._worlds[0].set)

    def begin_log(self) -> None:
        self._here.ram.begin_log()
        self._tell_our_side()

    def take_log(self) -> set[int]:
        return self._here.ram.written()

    def served(self) -> MutableMapping[Any, Any]:
        return self.entries

    # -- using it again ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Return the machine to the state in which it was opened; CPUID bits stay once KVM has fixed them.

        Raises EngineError if a register does not go back to its first value.
        """
        self._forget()
        self._here.clear()
        self._here.ram.begin_again()

    def close(self) -> None:
        self.guest.close()
        while self._others:
            self._others.popitem()[1].close()

    # -- inside ------------------------------------------------------------------------------------------

    def _before_entry(self, cpu: int) -> None:
        """Make the deliveries of our own host side to this vCPU; KVM makes its own."""
        self._here.ram.settle()
        if self.protocol.answers_itself:
            program = self.protocol.on_entry(self.records[cpu])
            self.guest.call(cpu, lambda: self._worlds[cpu].carry_out(host_side(program)))

    def _answer(self, cpu: int, access: MsrExit) -> MsrAnswer:
        """Answer an access that KVM passes to user space: by the protocol's handler, or as an unknown register."""
        result: Any = UNKNOWN
        if self._here.filter.denies(access.index):
            result = FAULT
        elif access.reason is MsrReason.FILTER:
            step = Wrmsr(access.index, access.data) if access.write else Rdmsr(access.index)
            _, result = self._worlds[cpu].carry_out(served(self.protocol, step))
        if result is FAULT or result is UNKNOWN:
            self._answered[cpu] = result
            return MsrAnswer(error=True)
        return MsrAnswer(data=0 if access.write else result)

    def _call(self, cpu: int, number: int, arguments: tuple[int, ...]) -> int | tuple[int, ...]:
        answer = self._worlds[cpu].carry_out(hypercall(self.protocol, Hypercall(number, arguments)))
        return tuple(answer) if isinstance(answer, tuple) else int(answer)

    def _refusal(self, cpu: int) -> Outcome:
        """Return the outcome of the access that has just ended with #GP: ours if we refused it, else KVM's."""
        outcome: Outcome = self._answered.pop(cpu, FAULT)
        return outcome


def _before(deflected: frozenset[int], listed: Sequence[T], msr_of: Callable[[T], int]) -> Sequence[T]:
    """Return the entries before the first one of a register that user space serves: KVM does not have it."""
    if not deflected:
        return listed
    return listed[: next((at for at, one in enumerate(listed) if msr_of(one) in deflected), len(listed))]


def _why_not() -> str | None:
    found = probe()
    return None if found.available else f"{found.reason}; {found.what_to_do}"


ENGINE = Engine("kvm", _why_not, KvmTarget)
