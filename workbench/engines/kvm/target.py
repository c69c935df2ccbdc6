"""Replay on real KVM: the operations of ``workbench.core.target`` on a VM of this host.

The rules kept here:

* KVM's own code is the host for the registers that the protocol leaves to it; its other paravirtual registers
  are hidden by the MSR filter, and those that the protocol keeps for itself are answered by its handlers.
* A register that KVM does not know is UNKNOWN: KVM gives such accesses to user space, which answers #GP
  (KVM_CAP_X86_USER_SPACE_MSR, mask UNKNOWN). Without that capability all refusals are FAULT.
* :meth:`KvmTarget.reset` makes a used machine equal to a new one as far as replays can see, and checks it.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

from workbench.core.contracts import Protocol
from workbench.core.driver import host_side, served
from workbench.core.errors import EngineError, WorkbenchError
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.steps import Rdmsr, Wrmsr
from workbench.core.target import Engine, MachineSpec, Reading
from workbench.core.vcpu import Host
from workbench.core.vcpu import Vcpu as Record
from workbench.engines.kvm import cpuid, longmode, state
from workbench.engines.kvm.executor import MsrAnswer
from workbench.engines.kvm.exits import MsrExit, MsrReason
from workbench.engines.kvm.guest import Guest
from workbench.engines.kvm.ioctl import CAP_USER_SPACE_MSR, KvmError
from workbench.engines.kvm.memory import Backing, Memslot
from workbench.engines.kvm.probe import probe
from workbench.engines.kvm.world import KvmWorld, backs

T = TypeVar("T")

#: KVM's paravirtual registers: the two old names of the clocks, and the range it has claimed.
_OLD_NAMES, _PV_RANGE = frozenset({0x11, 0x12}), range(0x4B564D00, 0x4B564E00)
#: Of those, what a vCPU holds after creation; writing it back is a reset.
_AFTER_CREATION = dict.fromkeys(state.PV_ORDER, 0) | {0x4B564D05: 1}
_NO_REFUSAL_WITHOUT_LAPIC = {0x4B564D06}
_SPARE_BYTES = 1 << 20


class KvmTarget:
    """A real VM that carries out replay operations. With ``log_dirty``, :meth:`dirty_pages` can be asked."""

    def __init__(self, spec: MachineSpec, protocol: Protocol, *, log_dirty: bool = False) -> None:
        self.protocol = protocol
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}
        self.notes: dict[Hashable, Any] = {}
        self._spec, self._log_dirty = spec, log_dirty
        self._forget()
        self._answered: dict[int, Any] = {}
        self._offered: dict[Guest, dict[int, frozenset[int]]] = {}  #: CPUID bits that were set, by VM and vCPU
        self._spare: list[Backing] = []  #: what deleted memslots left, for new ones
        self._kept: dict[tuple[int, int], Memslot] = {}  #: memslots from before a reset, by (gpa, size)
        self._other: Guest | None = None  #: the VM that a migration left; the next one's destination
        self._other_offers: tuple[frozenset[int], ...] = ()
        self.guest = self._open()
        self.tells_unknown = bool(self.guest.vm.has(CAP_USER_SPACE_MSR))
        self._worlds = [KvmWorld(self, cpu) for cpu in range(spec.vcpus)]

    def _open(self) -> Guest:
        protocol = self.protocol
        guest = Guest(self._spec.vcpus, ram=(), lapic=self._spec.irqchip, on_msr_exit=self._answer)
        try:
            kvms = _OLD_NAMES | {msr for msr in guest.vm.msr_index_list() if msr in _PV_RANGE}
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
        self._offered[guest] = dict.fromkeys(range(guest.cpus), offered)
        return guest

    def _forget(self) -> None:
        for table in (self.entries, self.ever, self.notes):
            table.clear()
        host = Host(irqchip=self._spec.irqchip)
        self.records = {cpu: Record(cpu, host=host) for cpu in range(self._spec.vcpus)}

    # -- memory ----------------------------------------------------------------------------------------

    def add_ram(self, gpa: int, size: int) -> None:
        own_end = longmode.STUB_GPA + longmode.slot_size(self._spec.vcpus)
        if gpa < own_end and gpa + size > longmode.STUB_GPA:
            raise EngineError(
                f"memslot {gpa:#x}..{gpa + size:#x} overlaps the engine's own memory, "
                f"{longmode.STUB_GPA:#x}..{own_end:#x}"
            )
        kept = self._kept.pop((gpa, size), None)
        if kept is not None:
            kept.backing.bytes[:] = bytes(size)
            return
        self._settle()
        self._add(self.guest, gpa, size)

    def _settle(self) -> None:
        """Delete the memslots from before a reset that nobody asked for again; then the machine is as told.

        Adding and deleting a memslot wait for all readers of the VM's memory, about a millisecond each.
        """
        while self._kept:
            _, slot = self._kept.popitem()
            self._retire(self.guest.memory.delete(slot.slot))

    def _add(self, guest: Guest, gpa: int, size: int) -> None:
        spare = next((one for one in self._spare if one.size == size), None) if guest is self.guest else None
        if spare is not None:
            self._spare.remove(spare)
            spare.bytes[:] = bytes(size)
        try:
            guest.memory.add(gpa, size, backing=spare, log_dirty=self._log_dirty)
        except KvmError as error:
            raise EngineError(f"memslot {gpa:#x}..{gpa + size:#x}: {error}") from None

    def delete_ram(self, gpa: int) -> None:
        self._settle()
        for slot in self._ram(self.guest):
            if slot.gpa == gpa:
                self._retire(self.guest.memory.delete(slot.slot))
                return
        raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}")

    def _retire(self, backing: Backing) -> None:
        """Keep what a small memslot leaves for the next one of its size; return the rest to the host."""
        if backing.size <= _SPARE_BYTES:
            self._spare.append(backing)
        else:
            backing.close()

    def _ram(self, guest: Guest) -> Sequence[Memslot]:
        return [slot for slot in guest.memory.slots if slot.slot != longmode.STUB_SLOT]

    def store(self, gpa: int, data: bytes) -> Outcome:
        self._settle()
        if not backs(self.guest, gpa, len(data), writable=True):
            return FAULT
        self.guest.memory.write(gpa, data)
        return HANDLED

    def load(self, gpa: int, size: int) -> bytes | None:
        self._settle()
        return self.guest.memory.read(gpa, size) if backs(self.guest, gpa, size, writable=False) else None

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) that guest or KVM wrote since the last call, of RAM as it is now."""
        self._settle()
        memory = self.guest.memory
        return frozenset().union(*(memory.dirty(slot.slot).kvm for slot in self._ram(self.guest)))

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
        self._settle()
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
            self.guest.call(cpu, partial(self._set_cpuid, self.guest, cpu, features, enforce))
        except KvmError as error:
            raise EngineError(
                f"vCPU {cpu} has entered the guest: KVM takes other CPUID bits only before that ({error})"
            ) from None
        self.records[cpu] = self.records[cpu].but(cpuid=features, enforce_cpuid=enforce)

    def _set_cpuid(self, guest: Guest, cpu: int, features: frozenset[int], enforce: bool) -> None:
        vcpu = guest.vcpu(cpu)
        offered = self._offered[guest]
        if offered.get(cpu) != features:  # after the first run KVM_SET_CPUID2 can fail even for the same bits
            bits = sum(1 << bit for bit in features)
            vcpu.set_cpuid(cpuid.for_vcpu(cpuid.with_pv_features(guest.cpuid_entries, bits), cpu))
            offered[cpu] = features
        vcpu.enforce_pv_cpuid(enforce)

    # -- the vCPU and its host -------------------------------------------------------------------------

    def run(self, cpu: int) -> None:
        self._before_entry(cpu)
        self.guest.nop(cpu)

    def init(self, cpu: int) -> None:
        if not self._spec.irqchip:
            raise EngineError("INIT comes through the LAPIC; this machine has none in the kernel (irqchip)")
        self._settle()
        self.guest.init(cpu)
        if self.protocol.deflected:
            self._worlds[cpu].carry_out(host_side(self.protocol.on_init(self.records[cpu])))

    def migrate(self) -> None:
        self._settle()
        source, destination = self.guest, self._destination()
        saved = state.save(source)
        own = self._on_host(self.protocol.save(tuple(self.records.values()))) if self.protocol.deflected else ()
        for slot in self._ram(source):
            self._add(destination, slot.gpa, slot.size)
        copy = state.MemoryCopy(source.memory, destination.memory)
        copy.everything()
        copy.stop()
        for cpu, record in self.records.items():
            if record.enforce_cpuid:
                destination.call(cpu, partial(self._set_cpuid, destination, cpu, record.cpuid, True))
        state.load(destination, saved)
        self._offered[destination] = dict(self._offered[source])
        self.guest, self._other, self._other_offers = destination, source, self._offers()
        while self._spare:  # the mappings belong to the VM that we left
            self._spare.pop().close()
        self.entries.clear()
        if self.protocol.deflected:
            self._on_host(self.protocol.restore(tuple(self.records.values()), own))

    def _destination(self) -> Guest:
        """Return a VM without memory: a new one, or the one this machine came from, made new."""
        other, self._other = self._other, None
        if other is not None and self._other_offers == self._offers():
            self._clear_vcpus(other)
            for slot in self._ram(other):
                other.memory.delete(slot.slot).close()
            return other
        if other is not None:
            self._close(other)
        return self._open()

    def _offers(self) -> tuple[frozenset[int], ...]:
        """Return the CPUID bits of each vCPU; a VM that has run cannot take others."""
        return tuple(record.cpuid for record in self.records.values())

    def _on_host(self, program: Any) -> Any:
        return self._worlds[0].carry_out(host_side(program))

    def within(self, cpu: int, job: Callable[[], T]) -> T:
        """Do ``job`` in the thread of vCPU ``cpu``, where its operations need no change of threads."""
        return self.guest.call(cpu, job)

    # -- using it again ----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Make the machine as it was when it was opened; CPUID bits, once KVM has fixed them, stay.

        Raises EngineError if a register does not go back to its first value.
        """
        self._settle()
        self._forget()
        self._clear_vcpus(self.guest)
        if self._log_dirty:
            self.dirty_pages()
        self._kept = {(slot.gpa, slot.size): slot for slot in self._ram(self.guest)}

    def _clear_vcpus(self, guest: Guest) -> None:
        for cpu in range(guest.cpus):
            guest.call(cpu, partial(self._clear_vcpu, guest, cpu))

    def _clear_vcpu(self, guest: Guest, cpu: int) -> None:
        vcpu = guest.vcpu(cpu)
        vcpu.enforce_pv_cpuid(False)
        if guest.deflected:
            return
        lapic = self._spec.irqchip
        wanted = {msr: v for msr, v in _AFTER_CREATION.items() if lapic or msr not in _NO_REFUSAL_WITHOUT_LAPIC}
        vcpu.set_msrs(wanted)
        if vcpu.get_msrs(tuple(wanted)) != list(wanted.values()):
            raise EngineError(f"kvm: the registers of vCPU {cpu} do not go back to their first values")

    def close(self) -> None:
        self._close(self.guest)
        if self._other is not None:
            self._close(self._other)

    def _close(self, guest: Guest) -> None:
        self._offered.pop(guest, None)
        guest.close()

    # -- inside ------------------------------------------------------------------------------------------

    def _before_entry(self, cpu: int) -> None:
        """Deliver what our own host side owes this vCPU; KVM delivers what KVM owes it."""
        self._settle()
        if self.protocol.deflected:
            program = self.protocol.on_entry(self.records[cpu])
            self.guest.call(cpu, lambda: self._worlds[cpu].carry_out(host_side(program)))

    def _answer(self, cpu: int, access: MsrExit) -> MsrAnswer:
        """Answer an access that KVM leaves to us: by the protocol's handler, or that nobody knows it."""
        result: Any = UNKNOWN
        if access.reason is MsrReason.FILTER:
            step = Wrmsr(access.index, access.data) if access.write else Rdmsr(access.index)
            _, result = self._worlds[cpu].carry_out(served(self.protocol, step))
        if result is FAULT or result is UNKNOWN:
            self._answered[cpu] = result
            return MsrAnswer(error=True)
        return MsrAnswer(data=0 if access.write else result)

    def _refusal(self, cpu: int) -> Outcome:
        """Return how the access that has just ended with #GP was refused: by us, or else by KVM."""
        outcome: Outcome = self._answered.pop(cpu, FAULT)
        return outcome


def _why_not() -> str | None:
    found = probe()
    return None if found.available else f"{found.reason}; {found.what_to_do}"


ENGINE = Engine("kvm", _why_not, KvmTarget)
