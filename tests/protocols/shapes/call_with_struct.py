"""One hypercall whose argument is a structure in memory, for any vCPU: PAPR's H_REGISTER_VPA, Xen's VCPUOP.

R1  Hypercall 101 takes (vCPU, gpa of a structure {type, gpa}). The structure is read once.
R2  A gpa of 0 in the structure revokes.
R3  Any vCPU may make the call for any other; for a vCPU that does not exist the answer is -EINVAL.
"""

from tests.protocols.shapes.saved import Saved
from workbench.design import ACCEPTED, KVM_EINVAL, REFUSED, AllVcpus, Hypercall, Load, Store, struct

CALL = 101
ARGUMENT = struct("struct area_argument { __u32 type; __u32 pad; __u64 gpa; };")


class CallWithStruct(Saved):
    name = "call_with_struct"
    title = "one hypercall, structure in memory, any vCPU"
    hypercalls = frozenset({CALL})
    call_instruction = "sc 1"
    descriptor = ARGUMENT
    address_field = "gpa"
    for_others = True

    def _call(self, cpu, feature, gpa):
        yield Store(cpu.descriptor, ARGUMENT(type=self.types[feature.name], gpa=gpa))
        answer = yield Hypercall(CALL, (cpu.index, cpu.descriptor))
        return ACCEPTED if answer == 0 else REFUSED

    def register(self, cpu, feature, gpa):
        return (yield from self._call(cpu, feature, gpa))

    def unregister(self, cpu, feature, gpa):
        return (yield from self._call(cpu, feature, 0))

    def on_hypercall(self, cpu, number, arguments):
        target, at = arguments
        argument = yield Load(at, ARGUMENT)  # R1
        if argument is None or target not in (yield AllVcpus()):  # R3
            return -KVM_EINVAL
        feature = self.of_type(argument.type)
        if feature is None:
            return -KVM_EINVAL
        return (yield from self.serve(target, feature, argument.gpa or None))  # R2
