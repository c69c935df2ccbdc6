"""Steal time before the fix of CVE-2019-3016: the host took the flush request from a stale copy of the byte.

V1  If another vCPU has requested it, the host flushes the TLB of a vCPU that is not running before it runs again.
V2  At entry the host reads the request, clears ``preempted``, and then acts on the value that it has read.
V3  Mitigation ``look-after-clearing``: it reads the request after it has cleared ``preempted``.

Two bits of one byte in Linux, which sets and clears them by atomic exchanges; two bytes here, because no step both
reads and writes. The fix must ensure the same: once "running again" is visible, no request is missed.
Source: "x86/KVM: Make sure KVM_VCPU_FLUSH_TLB flag is not missed" (b043138246a4, Boris Ostrovsky, December 2019), part
of the fix of CVE-2019-3016: between the clearing of its own copy of the byte and the copy's arrival in the guest, the
host missed a request. 1eff70a9abd4 only prepares it (kvm_map_gfn).
"""

from typing import ClassVar

from workbench.clayout.layout import U8
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.steps import Get, Load, Note, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.features.steal_time import PREEMPTED
from workbench.history.properties import FLUSHED
from workbench.protocols.per_feature import PerFeature

REQUEST = PREEMPTED + 1


class FlushBit(PerFeature):
    """Steal time with TLB flushes left to the host."""

    name = "flush_bit"
    title = "PV TLB flush (2019)"
    mitigations_known: ClassVar[dict[str, str]] = {"look-after-clearing": "no request goes unseen (V3)"}

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is None:
            return
        request = yield Load(gpa + REQUEST, U8)  # V2
        yield Store(gpa + PREEMPTED, 0, U8)
        if "look-after-clearing" in self.mitigations:
            request = yield Load(gpa + REQUEST, U8)  # V3
        if request:
            yield Store(gpa + REQUEST, 0, U8)
            yield Note(FLUSHED, True)  # V1
