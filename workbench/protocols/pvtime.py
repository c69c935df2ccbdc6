"""Arm's PVTIME: the VMM places the stolen-time areas in the machine's memory map, and the guest asks where its own is.

Source: Arm DEN0057A; Linux 6.12 Documentation/virt/kvm/arm/pvtime.rst, arch/arm64/kvm/pvtime.c (kvm_init_stolen_time,
kvm_update_stolen_time, kvm_arm_pvtime_set_attr), arch/arm64/kvm/hypercalls.c; guest: arch/arm64/kernel/paravirt.c
(has_pv_steal_clock, stolen_time_cpu_online); VMM: QEMU hw/arm/virt.c.

R1  The areas are memory of the host: 64 bytes for each vCPU that the machine can have. No kernel gives them away.
R2  Once for each kernel, the guest asks whether there is such a call: ARCH_FEATURES, then PV_TIME_FEATURES.
R3  On each CPU that comes up, PV_TIME_ST answers the address of its area, or -1. One exit; nothing else is passed.
R4  PV_TIME_ST zeroes the structure, and the count begins anew. Whether that write succeeded is not looked at: -1 means
    only that there is no address.
R5  There is no unregistration: a CPU that goes down drops its mapping, and the host goes on writing.
R6  The VMM gives KVM each address before the vCPU runs (KVM_ARM_VCPU_PVTIME_IPA). One that is not aligned to 64 bytes
    or not in a memslot is refused (-EINVAL), a second one for the same vCPU too (-EEXIST).
R7  A reset of the vCPU leaves the address.
R8  A migration carries nothing: the address is part of the machine's configuration, and the VMM gives it on the
    destination as on the source, where the first entry uses it. The structure is memory like any other.
R9  The host writes at each entry (KVM: at the first one after the vCPU was loaded onto a CPU). KVM begins with the very
    first, before any guest has asked; here it begins when the guest asks, or when the VMM's ``place`` is run, because
    nothing else looks at the host's own memory before.

Not modelled: KVM counts from PV_TIME_ST on (last_steal); here the first update adds all that was stolen before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import Key, area, baseline, registry, staged
from workbench.core.outcome import REFUSED, AcceptedAt
from workbench.core.steps import Backed, Get, Hypercall, Program, Set, Store
from workbench.core.vcpu import Vcpu

ARCH_FEATURES, PV_TIME_FEATURES, PV_TIME_ST = 0x8000_0001, 0xC500_0020, 0xC500_0021
SUPPORTED, NOT_SUPPORTED = 0, -1
EINVAL, EEXIST = -22, -17


class PvTime(Protocol):
    """PV_TIME_ST."""

    name = "pvtime"
    title = "Arm PVTIME: the host's choice of place"
    source = "Arm DEN0057A; Linux 6.12 arch/arm64/kvm/pvtime.c"
    own_features = ("stolen_time",)
    hypercalls = frozenset({ARCH_FEATURES, PV_TIME_FEATURES, PV_TIME_ST})
    call_instruction = "HVC"
    unknown_hypercall = NOT_SUPPORTED
    host_memory = 64  # R1
    places_areas = True

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.own_features

    def prepare(self, cpu: Vcpu) -> Program:
        if cpu.index == 0 and (yield Hypercall(ARCH_FEATURES, (PV_TIME_FEATURES,))) == SUPPORTED:
            yield Hypercall(PV_TIME_FEATURES, (PV_TIME_ST,))  # R2

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        answer = yield Hypercall(PV_TIME_ST, ())  # R3
        return REFUSED if answer == NOT_SUPPORTED else AcceptedAt(answer)

    # R5: unregister is the contract's own, which makes no call.

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        if number == ARCH_FEATURES:
            return SUPPORTED if arguments == (PV_TIME_FEATURES,) else NOT_SUPPORTED
        if number == PV_TIME_FEATURES:
            return SUPPORTED if arguments in ((PV_TIME_FEATURES,), (PV_TIME_ST,)) else NOT_SUPPORTED
        (feature,) = (one for one in self.features if self.supports(one))
        gpa = (yield Get(registry(cpu.index, "placed"))) or cpu.host_memory
        if not gpa:
            return NOT_SUPPORTED
        yield Set(baseline(cpu.index, feature.name), None)  # R4
        yield Store(gpa, bytes(feature.size))
        yield Set(area(cpu.index, feature.name), gpa)  # R9
        return gpa

    def place(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """VMM: KVM_ARM_VCPU_PVTIME_IPA; return 0 or a negative errno (R6)."""
        if gpa % feature.align:
            return EINVAL
        if (yield Get(registry(cpu.index, "placed"))) is not None:
            return EEXIST
        if not (yield Backed(gpa, feature.size)):
            return EINVAL
        yield Set(registry(cpu.index, "placed"), gpa)
        yield Set(area(cpu.index, feature.name), gpa)  # R9
        return 0

    # R7: on_init is the contract's own, which changes nothing.

    # -- live migration (R8) -------------------------------------------------------------------------

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        for cpu in cpus:
            for feature in self.features:
                if self.supports(feature) and cpu.host_memory:
                    yield Set(staged(cpu.index, feature.name), True)

    def on_entry(self, cpu: Vcpu) -> Program:
        for feature in self.features:
            if self.supports(feature) and (yield Get(staged(cpu.index, feature.name))):
                yield Set(staged(cpu.index, feature.name), None)
                yield Set(area(cpu.index, feature.name), cpu.host_memory)  # R8
        yield from super().on_entry(cpu)

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        """What a migration must carry: nothing (R8)."""
        return []
