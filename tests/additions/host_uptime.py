"""Made-up features with registers of their own, of rarer kinds: of the VM, gated, with a companion; on request."""

from tests.additions.pv_sched import PvSched
from workbench.design import Register

_ADDRESS = ~0x3F & (1 << 64) - 1


class HostUptime(PvSched):
    """How long the host has been up: one for the VM, written when it is registered.

    The bit that enables it needs a CPUID bit; a companion register holds a unit and no address.
    """

    name = "host_uptime"
    title = "host uptime"
    scope = "vm"
    update_when = "registration"
    registers = (
        Register("HOST_UPTIME", 0x4B56_4D31, address=_ADDRESS, enable=1, reserved=0x3E, gates=((1, 19),), touches=16),
        Register("HOST_UPTIME_UNIT", 0x4B56_4D32, reserved=_ADDRESS),
    )
    linux_boot = 7
    linux_teardown = 7


class SliceHint(PvSched):
    """The next time slice of the vCPU, written when the guest asks."""

    name = "slice_hint"
    title = "slice hint"
    update_when = "request"
    registers = (Register("SLICE_HINT", 0x4B56_4D33, 18, address=_ADDRESS, enable=1, reserved=0x3E, touches=16),)
    linux_boot = 8
    linux_teardown = 8
