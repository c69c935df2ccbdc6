"""The host chooses where the area is, in memory of its own: arm64's PVTIME_ST (Linux arch/arm64/kvm/pvtime.c).

R1  Hypercall 102 takes (type). It answers the address of the area, in the host's memory, or -1.
R2  A registration is permanent: there is no call to revoke it, and none is needed, because no kernel gives the memory
    to anybody.
R3  The VMM sets the base address again on the destination (KVM_ARM_VCPU_PVTIME_IPA).
"""

from typing import ClassVar

from tests.protocols.shapes.saved import Saved
from workbench.design import REFUSED, AcceptedAt, Hypercall

CALL, NOT_SUPPORTED = 102, -1


class HostChosen(Saved):
    name = "host_chosen"
    title = "the host chooses the address"
    hypercalls = frozenset({CALL})
    call_instruction = "HVC"
    unknown_hypercall = NOT_SUPPORTED
    host_memory = 256
    places_areas = True
    offsets: ClassVar = {"steal_time": 0, "kvmclock": 64}
    interface = "KVM_ARM_VCPU_PVTIME_IPA"

    def supports(self, feature):
        return feature.name in self.offsets

    def register(self, cpu, feature, gpa):
        answer = yield Hypercall(CALL, (self.types[feature.name],))
        return REFUSED if answer == NOT_SUPPORTED else AcceptedAt(answer)  # R1

    def unregister(self, cpu, feature, gpa):
        return REFUSED  # R2
        yield

    def on_hypercall(self, cpu, number, arguments):
        feature = self.of_type(*arguments)
        if feature is None or feature.name not in self.offsets:
            return NOT_SUPPORTED
        block = cpu.vm_memory if feature.scope == "vm" else cpu.host_memory
        gpa = block + self.offsets[feature.name]
        done = yield from self.serve(cpu.index, feature, gpa)
        return gpa if done == 0 else NOT_SUPPORTED

    def on_init(self, cpu):
        return
        yield
