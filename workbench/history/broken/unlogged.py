"""Writes of the host that a migration in rounds has lost: they are in no dirty log, or made after the last was read.

UnloggedVpa (POWER, until 3.10)
V1  The host writes a VPA and a dispatch trace log through mappings of its own, so KVM_GET_DIRTY_LOG does not show it.
V2  Mitigation ``report-dirty``: each area has a flag that such a write sets, and the log shows the page ("KVM: PPC:
    Book3S HV: Report VPA and DTL modifications in dirty map", c35635efdc03, 2013).

PreemptedAtSave (x86, until 6.11)
V3  A thread that is scheduled out marks its vCPU as preempted in steal time, also in the ioctl that reads registers,
    when the VMM has stopped the vCPU.
V4  Mitigation ``wants-to-run``: only in KVM_RUN ("KVM: Mark a vCPU as preempted/ready iff it's scheduled out while
    running", 118964562969, 2024).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbench.clayout.layout import U8
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.steps import Get, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.features.steal_time import PREEMPTED
from workbench.history.hostmap import unlogged
from workbench.protocols.papr_vpa import PaprVpa
from workbench.protocols.per_feature import PerFeature


class UnloggedVpa(PaprVpa):
    """H_REGISTER_VPA whose host writes through mappings."""

    name = "papr_unlogged"
    title = "VPA not in the dirty log (until 3.10)"
    mitigations_known: ClassVar[Mapping[str, str]] = {"report-dirty": "the dirty log shows the host's writes (V2)"}

    def _apply(self, target: int) -> Program:
        return self._unlogged(super()._apply(target))

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        return self._unlogged(super().deliver(cpu, feature))

    def _unlogged(self, program: Program) -> Program:
        return unlogged(program, marks="report-dirty" in self.mitigations)  # V1, V2


class PreemptedAtSave(PerFeature):
    """Steal time whose ``preempted`` is set while the VMM reads registers."""

    name = "preempted_at_save"
    title = "preempted in any ioctl (until 6.11)"
    mitigations_known: ClassVar[dict[str, str]] = {"wants-to-run": "a vCPU is preempted only in KVM_RUN (V4)"}

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        for cpu in cpus:
            place = yield Get(area(cpu.index, "steal_time"))
            if place is not None and "wants-to-run" not in self.mitigations:
                yield Store(place + PREEMPTED, 1, U8)  # V3
        return (yield from super().save(cpus))
