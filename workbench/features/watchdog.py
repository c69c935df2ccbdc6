"""The last update time of a watchdog: the 2011 mail's own example of ordinary guest memory.

"Hopefully normal guest memory - like last update time for the watchdog" (Glauber Costa, KVM-HDR, January
2011). KVM does not know this feature; the VMM reads, at any time, when the guest last reported that it is
alive. No register was ever assigned to it, so one MSR per feature cannot express it. The struct is this project's own.
"""

from workbench.clayout.layout import struct
from workbench.core.contracts import Feature
from workbench.core.steps import Program, Store

WATCHDOG = struct("""
struct watchdog_update {
    __u32 version;
    __u32 pad;
    __u64 last_update_ns;
};
""")


class Watchdog(Feature):
    """struct watchdog_update, one per VM, written by the guest and read by the VMM."""

    name = "watchdog"
    title = "watchdog time"
    payload = WATCHDOG
    size = 16
    align = 8
    scope = "vm"
    served_by = "user"
    linux_boot = 5
    source = "KVM-HDR mail of 24 January 2011"

    def prepare(self, gpa: int) -> Program:
        """Guest: zero the structure; there was no update yet."""
        yield Store(gpa, self.payload())
