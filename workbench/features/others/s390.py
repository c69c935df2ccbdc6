"""The token of s390's pseudo page faults: what the guest says of the task that runs, where the host reads it.

Layout: Linux arch/s390/include/asm/lowcore.h (lpp: the process's number and control bits), arch/s390/mm/pfault.c.
Big-endian there, little-endian here.
"""

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature
from workbench.core.steps import Program, Store


class PfaultToken(Feature):
    """Eight bytes that the guest changes at each switch of tasks; the host reads them at a fault and never writes."""

    name = "pfault_token"
    title = "pfault token"
    payload = struct("struct pfault_token { __u64 lpp; };")
    size = 8
    align = 8
    linux_boot = linux_teardown = 0
    source = "Linux arch/s390/mm/pfault.c"

    def prepare(self, gpa: int) -> Program:
        """Guest: the idle task runs."""
        yield Store(gpa, 1 << 63, U64)
