"""The GHCB of SEV-ES guests: a request block in shared memory, of which the host read a field twice.

V1  The guest puts an exit code and its argument into the block and leaves the guest (VMGEXIT, modelled as one
    register write). The request here is "the AP jump table is at this address".
V2  The host reads the exit code to check it, and again to act on it.
V3  Mitigation ``read-once``: it reads every field once ("KVM: SEV: only access GHCB fields once", 7588dbcebcbf).

Source: CVE-2023-4155; the guest could cause an endless recursion in the host. Introduced by 291bd20d5d88.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import area
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.steps import Load, Program, Set, Store, Wrmsr
from workbench.core.vcpu import Vcpu

MSR_AMD64_SEV_ES_GHCB = 0xC001_0130
SVM_VMGEXIT_AP_JUMP_TABLE = 0x8000_0005
GHCB = struct("struct ghcb { __u64 exit_code; __u64 address; };")


class JumpTable(Feature):
    """The AP jump table, with which a kernel starts its CPUs. The host keeps its address and writes nothing."""

    name = "jump_table"
    title = "AP jump table"
    payload = struct("struct jump_table { __u64 entry; };")
    size = align = 8
    linux_boot = linux_teardown = 0
    source = "GHCB specification; Linux arch/x86/coco/sev/core.c"

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa, 0, U64)


class Ghcb(Protocol):
    """VMGEXIT with a GHCB."""

    name = "ghcb"
    title = "GHCB fields read twice (2023)"
    descriptor = GHCB
    msrs = frozenset({MSR_AMD64_SEV_ES_GHCB})
    mitigations_known: ClassVar[Mapping[str, str]] = {"read-once": "every field is read once (V3)"}

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield Store(cpu.descriptor, GHCB(exit_code=SVM_VMGEXIT_AP_JUMP_TABLE, address=gpa))  # V1
        outcome = yield Wrmsr(MSR_AMD64_SEV_ES_GHCB, cpu.descriptor)
        return REFUSED if outcome is FAULT else ACCEPTED

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        exit_code = yield Load(value, U64)
        if exit_code != SVM_VMGEXIT_AP_JUMP_TABLE:
            return FAULT
        address = yield Load(value + 8, U64)
        if "read-once" not in self.mitigations:
            exit_code = yield Load(value, U64)  # V2
        if exit_code == SVM_VMGEXIT_AP_JUMP_TABLE:  # V3
            yield Set(area(cpu.index, "jump_table"), address)
        return HANDLED
