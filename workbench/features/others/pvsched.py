"""The page of paravirtual scheduling that a PCI device registers: its type is a name in its head.

Source of the head: "Paravirt Scheduling (pvsched) v3 - Design" (Vineeth Pillai): version of the ABI, name and version
of the policy, status. It is not merged. Offsets, and what follows the head, are this project's.
"""

from workbench.clayout.layout import U32, U64, Abi, struct
from workbench.core.contracts import Counted, Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.steps import Load, Moment, Program, Store

PAGE = struct("""
struct pvsched_page {
    __u32 abi_version;
    __u8  policy_name[16];
    __u32 policy_version;
    __u32 status;
    __u32 pad;
    __u64 last_run;
};
""")
STATUS, LAST_RUN = (PAGE.on(Abi.X86_64).offset_of(name) for name in ("status", "last_run"))
ABI_VERSION, POLICY_VERSION = 1, 1
POLICY = b"boost".ljust(16, b"\0")


class Pvsched(Feature):
    """4 KiB for each vCPU: the guest names a policy, the host says whether it serves it, and when the vCPU last ran."""

    name = "pvsched"
    title = "paravirtual scheduling"
    payload = PAGE
    size = PAGE_SIZE
    align = PAGE_SIZE
    update_when = "entry"
    counted = Counted(
        "no bound",
        "no host is merged that could be compared; when the time of the last run is written is this project's",
        '"Paravirt Scheduling (pvsched) v3 - Design"',
    )
    linux_boot = linux_teardown = 0
    source = '"Paravirt Scheduling (pvsched) v3 - Design"'

    def prepare(self, gpa: int) -> Program:
        """Guest: fill the head; the status is "disabled" until the host says otherwise."""
        yield Store(gpa, PAGE(abi_version=ABI_VERSION, policy_name=POLICY, policy_version=POLICY_VERSION))

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: the vCPU runs again."""
        yield Store(gpa + LAST_RUN, now.tsc, U64)

    def read(self, gpa: int) -> Program:
        """Guest: return the status that the host has written."""
        return (yield Load(gpa + STATUS, U32))
