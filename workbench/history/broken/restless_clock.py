"""kvmclock of a host that has a reason to write it at every entry.

V1  A host writes the clock when a vCPU is loaded on another CPU, when the host's own clock changes, and every five
    minutes (Linux arch/x86/kvm/x86.c, KVM_REQ_CLOCK_UPDATE). Here every entry is such a moment: a failure that needs
    only one of them is found, and the request that a registration makes is not waited for.
"""

from workbench.features.kvmclock import Kvmclock


class RestlessClock(Kvmclock):
    """kvmclock, written at every entry."""

    title = "kvmclock, written at every entry"
    update_when = "entry"  # type: ignore[assignment]  # V1
