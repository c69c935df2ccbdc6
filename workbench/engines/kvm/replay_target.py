"""Replay on real KVM: the operations of ``workbench.core.replay_target`` on a VM of this host.

The rules kept here:

* KVM's own code is the host for the registers that the protocol leaves to it; the MSR filter hides KVM's other
  paravirtual registers; the protocol's handlers answer for the registers that it serves itself.
* A register that KVM does not know is UNKNOWN: KVM passes such accesses to user space, which answers #GP
  (KVM_CAP_X86_USER_SPACE_MSR, mask UNKNOWN). Without that capability all refusals are FAULT.
* :meth:`KvmTarget.reset` makes a used machine equal to a new one as far as replays can observe, and checks it.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from workbench.core.contracts import Protocol
from workbench.core.driver import host_side, served
from workbench.core.kvm_registers import ASYNC_PF_INT, KVM_RANGE, QEMU_ORDER, SYSTEM_TIME, WALL_CLOCK
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.replay_target import Engine, MachineSpec, Reading
from workbench.core.steps import Rdmsr, Wrmsr
from workbench.core.vcpu import Host
from workbench.core.vcpu import Vcpu as Record
from workbench.engines.kvm import state
from workbench.engines.kvm.api import cpuid
from workbench.engines.kvm.api.exits import MsrExit, MsrReason
from workbench.engines.kvm.api.ioctl import CAP_USER_SPACE_MSR, KvmError
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.probe import probe
from workbench.engines.kvm.replay_ram import ReplayRam
from workbench.engines.kvm.world import KvmWorld, backs
from workbench.errors import EngineError

T = TypeVar("T")

#: KVM's paravirtual registers outside its reserved range: the two old numbers of the clocks.
_OLD_NAMES = frozenset({SYSTEM_TIME.msr, WALL_CLOCK.msr})
#: State that a vCPU has after creation; writing it back resets the vCPU.
_AFTER_CREATION = {register.msr: register.initial for register in QEMU_ORDER}
_NO_REFUSAL_WITHOUT_LAPIC = {ASYNC_PF_INT.msr}


class _Opened(NamedTuple):
    """A VM, its RAM, and the CPUID bits that each vCPU was offered."""

    guest: Guest
    ram: ReplayRam
    offered: dict[int, frozenset[int]]


class KvmTarget:
    """A real VM that carries out replay operations. With ``log_dirty``, :meth:`dirty_pages` can be asked."""

    def __init__(self, spec: MachineSpec, protocol: Protocol, *, log_dirty: bool = False) -> None:
        self.protocol = protocol
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}
        self.under: dict[int, bytes] = {}
        self.notes: dict[Hashable, Any] = {}
        self._spec, self._log_dirty = spec, log_dirty
        self._forget()
        self._answered: dict[int, Any] = {}
        self._told: set[tuple[Guest, int]] = set()  # the vCPUs for which KVM has a stop to tell, or has told it
        self._other: _Opened | None = None  #: the source VM of the last migration; the destination of the next
        self._here = self._open()
        self.guest = self._here.guest
        self.tells_unknown = bool(self.guest.vm.has(CAP_USER_SPACE_MSR))
        self._worlds = [KvmWorld(self, cpu) for cpu in range(spec.vcpus)]

    def _open(self) -> _Opened:
        protocol = self.protocol
        guest = Guest(self._spec.vcpus, ram=(), lapic=self._spec.irqchip, on_msr_exit=self._answer)
        try:
            kvms = _OLD_NAMES | {msr for msr in guest.vm.msr_index_list() if msr in KVM_RANGE}
            guest.deflected = protocol.deflected | (kvms - protocol.msrs)
            if guest.deflected:
                guest.vm.deflect(guest.deflected)
            if guest.vm.has(CAP_USER_SPACE_MSR):
                guest.vm.enable_cap(CAP_USER_SPACE_MSR, MsrReason.UNKNOWN | MsrReason.FILTER)
        except BaseException:
            guest.close()
            raise
        bits = cpuid.pv_features(guest.cpuid_entries)
        offered = frozenset(bit for bit in range(32) if bits >> bit & 1)
        ram = ReplayRam(guest, log_dirty=self._log_dirty)
        return _Opened(guest, ram, dict.fromkeys(range(guest.cpus), offered))

    def _forget(self) -> None:
        for table in (self.entries, self.ever, self.notes):
            table.clear()
        host = Host(irqchip=self._spec.irqchip)
        self.records = {cpu: Record(cpu, host=host) for cpu in range(self._spec.vcpus)}

    # -- memory ----------------------------------------------------------------------------------------

    def add_ram(self, gpa: int, size: int) -> None:
        self._here.ram.add(gpa, size)

    def delete_ram(self, gpa: int) -> None:
        self._here.ram.delete(gpa)

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

    def host_set_msr(self, cpu: int, msr: int, value: int) -> bool:
        self._here.ram.settle()
        if msr in self.guest.deflected:
            return False  # KVM does not have it; only the guest's accesses come to us
        vcpu = self.guest.vcpu(cpu)
        return self.guest.call(cpu, lambda: vcpu.set_msrs(((msr, value),))) == 1

    def host_get_msr(self, cpu: int, msr: int) -> int | None:
        if msr in self.guest.deflected:
            return None
        vcpu = self.guest.vcpu(cpu)
        found = self.guest.call(cpu, lambda: vcpu.get_msrs((msr,)))
        return found[0] if found else None

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        try:
            self.guest.call(cpu, partial(_set_cpuid, self._here, cpu, features, enforce))
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
            accepted = self.guest.call(cpu, self.guest.vcpu(cpu).kvmclock_ctrl)
            self._told |= {(self.guest, cpu)} if accepted else set()
            return accepted
        return bool(self._on_host(self.protocol.on_guest_stopped(self.records[cpu])))

    def migrate(self) -> None:
        saved = state.save(self.guest)
        own = self._on_host(self.protocol.save(tuple(self.records.values()))) if self.protocol.answers_itself else ()
        destination = self._destination()
        try:
            self._arrive(destination, saved)
        except BaseException:
            destination.guest.close()
            raise
        self._here, self._other = destination, self._here
        self.guest = destination.guest
        self.entries.clear()
        if self.protocol.answers_itself:
            self._on_host(self.protocol.restore(tuple(self.records.values()), own))

    def _arrive(self, destination: _Opened, saved: state.GuestState) -> None:
        """Restore memory first, because PV EOI and async page faults are checked against it; CPUID before registers."""
        for slot in self._here.ram.slots:
            destination.ram.add(slot.gpa, slot.size)
        copy = state.MemoryCopy(self.guest.memory, destination.guest.memory)
        copy.everything()
        copy.stop()
        for cpu, record in self.records.items():
            if record.enforce_cpuid:
                destination.guest.call(cpu, partial(_set_cpuid, destination, cpu, record.cpuid, True))
        state.load(destination.guest, saved, tell_stopped=False)
        destination.offered.update(self._here.offered)

    def _destination(self) -> _Opened:
        """Return a VM without memory: a new one, or the source of the last migration after a reset.

        A VM that has run keeps its CPUID bits, so it can be used only for a machine with the same bits.
        """
        other, self._other = self._other, None
        if other is not None and other.offered == self._here.offered:
            self._clear(other.guest)
            other.ram.delete_all()
            return other
        if other is not None:
            other.guest.close()
        return self._open()

    def _on_host(self, program: Any) -> Any:
        return self._worlds[0].carry_out(host_side(program))

    def within(self, cpu: int, job: Callable[[], T]) -> T:
        """Run ``job`` in the thread of vCPU ``cpu``, where its operations need no change of threads."""
        return self.guest.call(cpu, job)

    # -- using it again ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Return the machine to the state in which it was opened; CPUID bits stay once KVM has fixed them.

        Raises EngineError if a register does not go back to its first value.
        """
        self._forget()
        self._clear(self.guest)
        self._here.ram.begin_again()

    def _clear(self, guest: Guest) -> None:
        for cpu in range(guest.cpus):
            guest.call(cpu, partial(self._clear_vcpu, guest, cpu))

    def _clear_vcpu(self, guest: Guest, cpu: int) -> None:
        vcpu = guest.vcpu(cpu)
        vcpu.enforce_pv_cpuid(False)
        if (guest, cpu) in self._told:  # KVM keeps the news until a clock is updated: let it tell memory of the engine
            vcpu.set_msrs({SYSTEM_TIME.msr: longmode.bounce(cpu) | 1})
            guest.executor(cpu).nop()
            self._told.remove((guest, cpu))
        if guest.deflected:
            return
        lapic = self._spec.irqchip
        wanted = {msr: v for msr, v in _AFTER_CREATION.items() if lapic or msr not in _NO_REFUSAL_WITHOUT_LAPIC}
        vcpu.set_msrs(wanted)
        if vcpu.get_msrs(tuple(wanted)) != list(wanted.values()):
            raise EngineError(f"the registers of vCPU {cpu} do not go back to their first values", "kvm")

    def close(self) -> None:
        self.guest.close()
        if self._other is not None:
            self._other.guest.close()

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
        if access.reason is MsrReason.FILTER:
            step = Wrmsr(access.index, access.data) if access.write else Rdmsr(access.index)
            _, result = self._worlds[cpu].carry_out(served(self.protocol, step))
        if result is FAULT or result is UNKNOWN:
            self._answered[cpu] = result
            return MsrAnswer(error=True)
        return MsrAnswer(data=0 if access.write else result)

    def _refusal(self, cpu: int) -> Outcome:
        """Return the outcome of the access that has just ended with #GP: ours if we refused it, else KVM's."""
        outcome: Outcome = self._answered.pop(cpu, FAULT)
        return outcome


def _set_cpuid(opened: _Opened, cpu: int, features: frozenset[int], enforce: bool) -> None:
    """Offer ``features``; in the vCPU's thread."""
    guest, vcpu = opened.guest, opened.guest.vcpu(cpu)
    if opened.offered[cpu] != features:  # after the first run KVM_SET_CPUID2 can fail even for the same bits
        bits = sum(1 << bit for bit in features)
        vcpu.set_cpuid(cpuid.for_vcpu(cpuid.with_pv_features(guest.cpuid_entries, bits), cpu))
        opened.offered[cpu] = features
    vcpu.enforce_pv_cpuid(enforce)


def _why_not() -> str | None:
    found = probe()
    return None if found.available else f"{found.reason}; {found.what_to_do}"


ENGINE = Engine("kvm", _why_not, KvmTarget)
