"""Clocks that depend on a value of the VM, which the VMM restores late or never, or which one vCPU passes on.

VmClock (KVM_SET_CLOCK)
V1  The time in kvmclock is that of the VM's clock. A new VM's clock begins at 0; KVM_SET_CLOCK sets it to the time of
    the guest, once its vCPUs have been stopped elsewhere. Only a part of a second matters here: before, or after.

TscPageOfVm (Hyper-V's reference TSC page in KVM)
V2  The page belongs to the VM, and the guest's own memory holds it. vCPU 0 writes it when it enters the guest next;
    another vCPU may enter before that, and reads what was right before the update was requested.
V3  Mitigation ``invalidate``: when an update is requested, the page's sequence number is set to 0 at once, so that no
    vCPU uses it before it is written (e880c6ea55b9, 5.12).

Sources: cloud-hypervisor pull requests 2653, 2654 and 7932; Linux arch/x86/kvm/hyperv.c, kvm_hv_setup_tsc_page.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U32
from workbench.core.contracts import Feature
from workbench.core.host_state import VM, Key, area, baseline, pending
from workbench.core.steps import Get, Moment, Program, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.features.kvmclock import Kvmclock
from workbench.features.others.hyperv import ReferenceTsc
from workbench.protocols.hyperv import REFERENCE_TSC, HyperV

#: The clock of the VM in ns: absent in a new VM; what the guest has lived so far is one number here.
LIVED = 1_000_000_000


def clock_of_vm() -> Key:
    """The key of the VM's clock, which KVM_SET_CLOCK sets and no register shows (value: ns)."""
    return baseline(VM, "kvmclock")


def set_clock(vcpus: int) -> Program:
    """VMM: KVM_SET_CLOCK to the time of the guest; every vCPU's clock is due (KVM_REQ_CLOCK_UPDATE)."""
    yield Set(clock_of_vm(), LIVED)
    for cpu in range(vcpus):
        yield Set(pending(cpu, "kvmclock"), True)


class VmClock(Kvmclock):
    """struct pvclock_vcpu_time_info, with the time of the VM's clock; a guest's time does not go back."""

    name = "kvmclock"
    counters = ("system_time",)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        lived = (yield Get(clock_of_vm())) or 0  # V1
        return (yield from super().update(cpu, gpa, now._replace(ns=lived)))


class UpdatedTsc(ReferenceTsc):
    """The reference TSC page, written on request and not at registration."""

    name = "reference_tsc"
    update_when = "request"  # type: ignore[assignment]  # mypy takes the base class's value for its type


class TscPageOfVm(HyperV):
    """Hyper-V's registers in KVM, which writes the TSC page when vCPU 0 enters."""

    name = "tsc_page_of_vm"
    title = "Hyper-V TSC page in KVM (2021)"
    mitigations_known: ClassVar[Mapping[str, str]] = {"invalidate": "a page that is due is marked invalid first (V3)"}

    def lay(self, gpa: int, restoring: bool) -> Program:
        return  # V2: KVM has no overlay
        yield

    def lift(self, gpa: int) -> Program:
        return
        yield

    def _write(self, cpu: Vcpu, msr: int, value: int, host_initiated: bool) -> Program:
        outcome = yield from super()._write(cpu, msr, value, host_initiated)
        gpa = yield Get(area(VM, "reference_tsc"))
        if msr == REFERENCE_TSC and gpa is not None:
            if "invalidate" in self.mitigations:
                yield Store(gpa, 0, U32)  # V3
            yield Set(pending(0, "reference_tsc"), True)
            if not host_initiated:
                yield from self.deliver(cpu, self.by_name["reference_tsc"])  # on vCPU 0, before the guest goes on
        return outcome

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        if cpu.index == 0:
            yield from super().deliver(cpu, feature)  # V2
