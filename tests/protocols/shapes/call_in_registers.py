"""One hypercall {operation, type, address} in registers, as LoongArch's NOTIFY and RISC-V's STA do it.

R1  Hypercall 100 takes (operation, type, gpa): operation 1 registers, 0 revokes. It answers 0 or a negative error.
R2  The address must be RAM and aligned as the feature's ABI says, and the area must lie in one page; otherwise nothing
    changes, and the answer is -EINVAL.
R3  An area is registration state: the VMM reads it and writes it back by an ioctl (one register for each area).
R4  INIT revokes the areas of the vCPU.
"""

from tests.protocols.shapes.saved import Saved
from workbench.design import ACCEPTED, REFUSED, UNKNOWN, Hypercall

CALL = 100
REVOKE, REGISTER = 0, 1


class CallInRegisters(Saved):
    name = "call_in_registers"
    title = "one hypercall, arguments in registers"
    hypercalls = frozenset({CALL})

    def register(self, cpu, feature, gpa):
        answer = yield Hypercall(CALL, (REGISTER, self.types[feature.name], gpa))  # R1
        return ACCEPTED if answer == 0 else REFUSED

    def unregister(self, cpu, feature, gpa):
        answer = yield Hypercall(CALL, (REVOKE, self.types[feature.name], 0))
        return ACCEPTED if answer == 0 else REFUSED

    def on_hypercall(self, cpu, number, arguments):
        operation, kind, gpa = arguments
        feature = self.of_type(kind)
        if feature is None:
            return UNKNOWN
        return (yield from self.serve(cpu.index, feature, gpa if operation == REGISTER else None))  # R2
