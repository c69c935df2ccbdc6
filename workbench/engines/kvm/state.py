"""Transfers state between two VMs: saved and loaded by the ioctls that QEMU uses, in QEMU's order.

The rules kept here: deflected MSRs (answered by user space) are in no list, because the MSR filter does not
apply to KVM_SET_MSRS; the paravirtual MSRs are written by one KVM_SET_MSRS in QEMU's order, which stops at the
first one that KVM rejects, and the MSRs lost by that are reported; memory is copied in rounds.
Source: QEMU, target/i386/kvm/kvm.c (kvm_arch_put_registers, kvm_put_msrs), hw/i386/kvm/clock.c.
"""

import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from workbench.core.kvm_registers import KVM_RANGE, QEMU_ORDER
from workbench.core.vcpu import Vcpu as Record
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.engines.kvm.api.cpuid import CpuidEntry
from workbench.engines.kvm.api.ioctl import (
    KVM_GET_DEBUGREGS,
    KVM_GET_LAPIC,
    KVM_GET_MP_STATE,
    KVM_GET_REGS,
    KVM_GET_SREGS,
    KVM_GET_VCPU_EVENTS,
    KVM_GET_XCRS,
    KVM_GET_XSAVE,
    KVM_SET_DEBUGREGS,
    KVM_SET_LAPIC,
    KVM_SET_MP_STATE,
    KVM_SET_REGS,
    KVM_SET_SREGS,
    KVM_SET_VCPU_EVENTS,
    KVM_SET_XCRS,
    KVM_SET_XSAVE,
)
from workbench.engines.kvm.api.memory import PAGE, GuestMemory
from workbench.engines.kvm.api.vcpu import Vcpu
from workbench.engines.kvm.api.vm import Clock, Vm
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.longmode import STUB_SLOT
from workbench.errors import WorkbenchError

#: KVM's paravirtual MSRs in the order of QEMU's kvm_put_msrs.
PV_ORDER = tuple(register.msr for register in QEMU_ORDER)
_APIC_BASE_MSR, _TSC_DEADLINE_MSR = 0x1B, 0x6E0

Msrs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class VcpuState:
    """The whole state of one vCPU, in KVM's own layouts."""

    cpuid: tuple[CpuidEntry, ...]
    mp_state: bytes
    regs: bytes
    xsave: bytes
    xcrs: bytes
    sregs: bytes
    machine_msrs: Msrs
    pv_msrs: Msrs
    lapic: bytes | None
    events: bytes
    debugregs: bytes


@dataclass(frozen=True, slots=True)
class GuestState:
    """The state that a migration transfers besides memory."""

    clock: Clock
    vcpus: tuple[VcpuState, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How loading one vCPU's MSRs went."""

    refused: tuple[int, ...]  #: MSRs KVM rejected
    lost: tuple[int, ...]  #: paravirtual MSRs never tried, because one before them was rejected


def msr_lists(vm: Vm, excluded: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the MSRs to save, the processor's and the paravirtual ones, both without the ``excluded`` (deflected)."""
    out = set(excluded)
    known = vm.msr_index_list()
    machine = tuple(i for i in known if i not in out and i not in PV_ORDER and i not in KVM_RANGE)
    return machine, tuple(i for i in PV_ORDER if i in known and i not in out)


def save_vcpu(vcpu: Vcpu, machine: Sequence[int], pv: Sequence[int], *, own_cpuid: bool = False) -> VcpuState:
    """Read a vCPU's state, in its thread while it does not run. MSRs that cannot be read are left out.

    ``own_cpuid``: without CPUID, which the destination's VMM sets itself.
    """
    vcpu.finish_exit()
    return VcpuState(
        cpuid=() if own_cpuid else vcpu.get_cpuid(),
        mp_state=bytes(vcpu.get(KVM_GET_MP_STATE)),
        regs=bytes(vcpu.get(KVM_GET_REGS)),
        xsave=bytes(vcpu.get(KVM_GET_XSAVE)),
        xcrs=bytes(vcpu.get(KVM_GET_XCRS)),
        sregs=bytes(vcpu.get(KVM_GET_SREGS)),
        machine_msrs=_read_msrs(vcpu, machine),
        pv_msrs=_read_msrs(vcpu, pv),
        lapic=bytes(vcpu.get(KVM_GET_LAPIC)) if vcpu.has_lapic else None,
        events=bytes(vcpu.get(KVM_GET_VCPU_EVENTS)),
        debugregs=bytes(vcpu.get(KVM_GET_DEBUGREGS)),
    )


def load_vcpu(vcpu: Vcpu, state: VcpuState, *, own_cpuid: bool = False, skips: bool = False) -> Loaded:
    """Write a vCPU's state in QEMU's order, in its thread. Memslots must exist already (PV EOI, async PF).

    ``skips``: the VMM leaves a rejected paravirtual MSR out and writes those after it. ``own_cpuid``: CPUID stays as
    the destination's VMM has set it, as under QEMU, whose stream does not carry it.
    """
    if not own_cpuid:
        vcpu.set_cpuid(state.cpuid)
    (apic_base,) = struct.unpack_from("<Q", state.sregs, 272)
    vcpu.set_msrs({_APIC_BASE_MSR: apic_base})
    if state.lapic is not None and vcpu.has_lapic:  # otherwise it is the VMM that emulates it
        vcpu.set(KVM_SET_LAPIC, state.lapic)
    vcpu.set(KVM_SET_SREGS, state.sregs)
    vcpu.set(KVM_SET_REGS, state.regs)
    vcpu.fetch_regs()
    vcpu.set(KVM_SET_XSAVE, state.xsave)
    vcpu.set(KVM_SET_XCRS, state.xcrs)
    refused = _write_each(vcpu, [pair for pair in state.machine_msrs if pair[0] != _TSC_DEADLINE_MSR])
    if skips:
        rejected, lost = _write_each(vcpu, state.pv_msrs), []
    else:
        rejected = [index for index, _ in state.pv_msrs[vcpu.set_msrs(state.pv_msrs) :]]
        rejected, lost = rejected[:1], rejected[1:]
    vcpu.set(KVM_SET_VCPU_EVENTS, state.events)
    vcpu.set(KVM_SET_MP_STATE, state.mp_state)
    refused += _write_each(vcpu, [pair for pair in state.machine_msrs if pair[0] == _TSC_DEADLINE_MSR])
    vcpu.set(KVM_SET_DEBUGREGS, state.debugregs)
    return Loaded((*refused, *rejected), tuple(lost))


def refused_of(state: VcpuState, loaded: Loaded, among: Collection[int] = PV_ORDER) -> int:
    """Return how many paravirtual registers ``among`` these, in a vCPU's state, KVM refused."""
    return sum(msr in loaded.refused and msr in among for msr, _ in state.pv_msrs)


def save(guest: Guest, listed: Sequence[Sequence[int]] | None = None, *, own_cpuid: bool = False) -> GuestState:
    """Read the state of a guest that executes no steps: the clock first, as QEMU does on stop.

    ``listed``: the paravirtual MSRs to read, for each vCPU; by default all of QEMU's list that KVM knows.
    ``own_cpuid``: see :func:`save_vcpu`.
    """
    machine, pv = msr_lists(guest.vm, guest.deflected)
    lists = [pv] * guest.cpus if listed is None else [[m for m in own if m not in guest.deflected] for own in listed]
    clock = guest.vm.get_clock()
    read = partial(save_vcpu, machine=machine, own_cpuid=own_cpuid)
    vcpus = (guest.call(cpu, partial(read, guest.vcpu(cpu), pv=own)) for cpu, own in enumerate(lists))
    return GuestState(clock, tuple(vcpus))


def load(
    guest: Guest,
    state: GuestState,
    *,
    order: Sequence[int] | None = None,
    clock_first: bool = True,
    set_clock: bool = True,
    tell_stopped: bool = True,
    own_cpuid: bool = False,
    vmm: Vmm = STOPS_SHORT,
    among: Collection[int] = PV_ORDER,
) -> tuple[Loaded, ...]:
    """Write a saved state into a guest with as many vCPUs, whose memory has already arrived; one result per vCPU.

    ``order``: the order in which the vCPUs are loaded, by default from the first to the last. ``vmm``: after the first
    vCPU with a register ``among`` these that KVM refuses, a VMM that gives up loads no other; it has then no result.
    ``clock_first``: KVM_SET_CLOCK before the MSRs, so that the wall clock, which the MSR write computes, is
    right; QEMU sets the clock last. ``tell_stopped``: KVM_KVMCLOCK_CTRL on each vCPU, as QEMU does. ``own_cpuid``: see
    :func:`load_vcpu`.
    """
    if len(state.vcpus) != guest.cpus:
        raise WorkbenchError(f"a state of {len(state.vcpus)} vCPUs does not fit a guest of {guest.cpus}")
    if set_clock and clock_first:
        guest.vm.set_clock(state.clock.clock)
    loaded: dict[int, Loaded] = {}
    for cpu in range(guest.cpus) if order is None else order:
        job = partial(load_vcpu, guest.vcpu(cpu), state.vcpus[cpu], own_cpuid=own_cpuid, skips=vmm.skips)
        loaded[cpu] = guest.call(cpu, job)
        if vmm.ends(refused_of(state.vcpus[cpu], loaded[cpu], among)):
            return tuple(loaded[cpu] for cpu in sorted(loaded))
    if set_clock and not clock_first:
        guest.vm.set_clock(state.clock.clock)
    if tell_stopped:
        for cpu in range(guest.cpus):
            guest.call(cpu, guest.vcpu(cpu).kvmclock_ctrl)
    return tuple(loaded[cpu] for cpu in range(guest.cpus))


def carried(state: GuestState, records: Iterable[Record]) -> GuestState:
    """Return a saved state with those paravirtual MSRs only that the VMM of a destination carries of these vCPUs."""
    kept = []
    for vcpu, record in zip(state.vcpus, records, strict=True):
        listed = record.carried()
        kept.append(replace(vcpu, pv_msrs=tuple(pair for pair in vcpu.pv_msrs if pair[0] in listed)))
    return replace(state, vcpus=tuple(kept))


class MemoryCopy:
    """Copies guest memory in rounds: everything once, then the pages written since the last round."""

    def __init__(self, source: GuestMemory, target: GuestMemory) -> None:
        """Start dirty logging of every slot of ``source`` except the engine's own."""
        self._source, self._target = source, target
        self._slots = [slot.slot for slot in source.slots if slot.slot != STUB_SLOT]
        for slot in self._slots:
            source.log_dirty(slot, True)

    def everything(self) -> int:
        """Copy all pages; return how many."""
        slots = [self._source.slot(number) for number in self._slots]
        return sum(self._copy(range(slot.gpa // PAGE, slot.end // PAGE)) for slot in slots)

    def dirty(self, *, host_writes: bool = True) -> int:
        """Copy the pages written since the last round; return how many.

        Without ``host_writes``, only those in KVM's log, like a VMM that does not record its own writes.
        """
        copied = 0
        for number in self._slots:
            found = self._source.dirty(number)
            copied += self._copy(sorted(found.all if host_writes else found.kvm))
        return copied

    def stop(self) -> None:
        """Stop dirty logging."""
        for slot in self._slots:
            self._source.log_dirty(slot, False)

    def _copy(self, pages: Sequence[int]) -> int:
        for page in pages:
            content = self._source.read(page * PAGE, PAGE)
            self._target.write(page * PAGE, content, through_readonly=True)
        return len(pages)


def _read_msrs(vcpu: Vcpu, indices: Sequence[int]) -> Msrs:
    found: list[tuple[int, int]] = []
    left = list(indices)
    while left:
        values = vcpu.get_msrs(left)
        found += zip(left, values, strict=False)
        left = left[len(values) + 1 :]  # KVM stopped at an MSR that it cannot read: continue after it
    return tuple(found)


def _write_each(vcpu: Vcpu, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Write MSRs, leaving out those that KVM rejects; return these."""
    refused: list[int] = []
    left = list(pairs)
    while left and (taken := vcpu.set_msrs(left)) < len(left):
        refused.append(left[taken][0])
        left = left[taken + 1 :]
    return refused
