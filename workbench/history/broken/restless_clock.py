"""kvmclock of a host that writes it at every entry.

V1  A host writes the clock when a vCPU is loaded on another CPU, when the host's own clock changes, and every five
    minutes (Linux arch/x86/kvm/x86.c, KVM_REQ_CLOCK_UPDATE). Here it writes at every entry, so a failure that needs
    one such write is found; no request by a registration is needed.
"""

from workbench.features.kvmclock import Kvmclock


class RestlessClock(Kvmclock):
    """kvmclock, written at every entry."""

    title = "kvmclock, written at every entry"
    update_when = "entry"  # type: ignore[assignment]  # V1
