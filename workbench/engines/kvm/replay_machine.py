"""One VM of a replay: its guest, RAM, CPUID and MSR filter, and how it is made equal to a new one for the next replay.

The rules kept here: the registers that the protocol does not leave to KVM are deflected to user space, whatever the
replay's own filter says; KVM takes other CPUID bits only before a vCPU's first entry, so they stay until it is closed.
"""

from collections.abc import Iterable

from workbench.core.contracts import Protocol
from workbench.core.kvm_registers import ASYNC_PF_INT, KVM_RANGE, QEMU_ORDER, SYSTEM_TIME, SYSTEM_TIME_NEW, WALL_CLOCK
from workbench.core.msr_filter import NO_FILTER, MsrFilter
from workbench.core.pages import PAGE_SHIFT
from workbench.core.replay_target import MachineSpec
from workbench.core.vcpu import Vcpu
from workbench.core.vmm import Vmm
from workbench.engines.kvm import state
from workbench.engines.kvm.api import cpuid
from workbench.engines.kvm.api.exits import MsrReason
from workbench.engines.kvm.api.ioctl import CAP_USER_SPACE_MSR
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.exit_answers import OnMsrExit
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.replay_ram import ReplayRam
from workbench.errors import EngineError

#: KVM's paravirtual registers outside its reserved range: the two old numbers of the clocks.
_OLD_NAMES = frozenset({SYSTEM_TIME.msr, WALL_CLOCK.msr})
#: State that a vCPU has after creation; writing it back resets the vCPU.
_AFTER_CREATION = {register.msr: register.initial for register in QEMU_ORDER}
_TSC = 0x10
_NO_REFUSAL_WITHOUT_LAPIC = {ASYNC_PF_INT.msr}


class ReplayMachine:
    """A VM that replays use, one after the other."""

    def __init__(self, spec: MachineSpec, protocol: Protocol, answer: OnMsrExit, *, log_dirty: bool) -> None:
        """Open the VM, without RAM; ``answer`` serves the accesses that KVM passes to user space."""
        self._lapic = spec.irqchip
        self.filter = NO_FILTER
        self._enforced: set[int] = set()  # the vCPUs whose CPUID bits decide which registers exist
        self._told: set[int] = set()  # the vCPUs for which KVM has a stop to tell, or has told it
        self._clock_was_set = False
        self.guest = guest = Guest(spec.vcpus, ram=(), lapic=spec.irqchip, on_msr_exit=answer, one_thread=True)
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
        #: The CPUID bits that each vCPU was offered.
        self.offered = dict.fromkeys(range(guest.cpus), frozenset(bit for bit in range(32) if bits >> bit & 1))
        self.ram = ReplayRam(guest, log_dirty=log_dirty)

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        """Offer ``features`` to a vCPU, in its thread. Raises KvmError if it has run with others."""
        guest, vcpu = self.guest, self.guest.vcpu(cpu)
        if self.offered[cpu] != features:  # after the first run KVM_SET_CPUID2 can fail even for the same bits
            bits = sum(1 << bit for bit in features)
            vcpu.set_cpuid(cpuid.for_vcpu(cpuid.with_pv_features(guest.cpuid_entries, bits), cpu))
            self.offered[cpu] = features
        self._enforce(cpu, enforce)

    def _enforce(self, cpu: int, on: bool) -> None:
        if on is not (cpu in self._enforced):
            self.guest.vcpu(cpu).enforce_pv_cpuid(on)
            (self._enforced.add if on else self._enforced.discard)(cpu)

    def filter_msrs(self, wanted: MsrFilter) -> None:
        """Deny the guest what ``wanted`` denies, besides the registers that user space serves."""
        if wanted != self.filter:
            self.guest.vm.filter_msrs(wanted.also_denying(self.guest.deflected))
            self.filter = wanted

    def tell_stopped(self, cpu: int) -> bool:
        """Say that the guest was stopped (KVM_KVMCLOCK_CTRL); tell whether KVM accepted it."""
        accepted = self.guest.call(cpu, self.guest.vcpu(cpu).kvmclock_ctrl)
        self._told |= {cpu} if accepted else set()
        return accepted

    def set_clock(self, ns: int, realtime: int | None) -> None:
        """KVM_SET_CLOCK."""
        self._clock_was_set = True
        self.guest.vm.set_clock(ns, realtime=realtime)

    def take_over(
        self,
        source: "ReplayMachine",
        saved: state.GuestState,
        pages: Iterable[tuple[int, bytes]],
        records: Iterable[Vcpu],
        vmm: Vmm,
    ) -> int:
        """Arrive here from ``source``, with the content of its ``pages``, in this VM's thread; it has no RAM yet.

        Return how many of the listed registers KVM refused; ``vmm`` decides what it writes after one.

        Memory is restored first, because PV EOI and async page faults are checked against it; CPUID before registers.
        """
        for gpa, size, readonly in source.ram.described():
            self.ram.add(gpa, size, readonly=readonly)
        self.ram.settle()
        for frame, data in pages:
            self.guest.memory.write(frame << PAGE_SHIFT, data, through_readonly=True)
        self.filter_msrs(source.filter)
        for record in records:
            self.set_cpuid(record.index, source.offered[record.index], record.enforce_cpuid)
        loaded = state.load(self.guest, saved, tell_stopped=False, vmm=vmm, own_cpuid=True)
        self._match_tscs(saved)
        self._clock_was_set = True
        listed = ({msr for msr, _ in vcpu.pv_msrs} for vcpu in saved.vcpus)
        return sum(len(msrs.intersection(one.refused)) for msrs, one in zip(listed, loaded, strict=False))

    def _match_tscs(self, saved: state.GuestState) -> None:
        """Write one TSC to all vCPUs in a row.

        KVM has a master clock only if their TSCs match, and takes those for matching that are written within a second
        of where they should be (kvm_synchronize_tsc); a busy host may take longer for the states of two vCPUs.
        """
        first = [pair for pair in saved.vcpus[0].machine_msrs if pair[0] == _TSC]
        for cpu in range(self.guest.cpus):
            self.guest.vcpu(cpu).set_msrs(first)

    def clear(self) -> None:
        """Return registers, clock and filter to their first state; raise EngineError if a register does not."""
        self.filter_msrs(NO_FILTER)
        if self._clock_was_set:
            self.guest.vm.set_clock(0)
            self._clock_was_set = False
        self.guest.call(0, self._clear_vcpus)

    def _clear_vcpus(self) -> None:
        for cpu in range(self.guest.cpus):
            self._clear_vcpu(cpu)

    def _clear_vcpu(self, cpu: int) -> None:
        guest, vcpu = self.guest, self.guest.vcpu(cpu)
        self._enforce(cpu, False)
        if cpu in self._told:  # KVM keeps the news until a clock is updated: let it tell memory of the engine
            vcpu.set_msrs({SYSTEM_TIME.msr: longmode.bounce(cpu) | 1})
            guest.executor(cpu).nop()
            self._told.remove(cpu)
        if guest.deflected:
            return
        wanted = {msr: v for msr, v in _AFTER_CREATION.items() if self._lapic or msr not in _NO_REFUSAL_WITHOUT_LAPIC}
        vcpu.set_msrs(wanted)
        if cpu == 0:  # KVM remembers by which number the boot vCPU last wrote its clock; no ioctl resets that
            guest.executor(cpu).wrmsr(SYSTEM_TIME_NEW.msr, 0)
        if vcpu.get_msrs(tuple(wanted)) != list(wanted.values()):
            raise EngineError(f"the registers of vCPU {cpu} do not go back to their first values", "kvm")

    def close(self) -> None:
        """Close the VM; may be called twice."""
        self.guest.close()
