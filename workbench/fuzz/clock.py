"""Follows the clock of the machine: how far two hosts' readings of it may be apart.

A machine that is used again goes on with its clock, and has looked for a master clock long ago. So readings are
compared only from when the VMM has set the clock; whether the time of day comes with them, from the first entry. A
time of day in the past as of which it is set adds what has passed since (Linux kvm_vm_ioctl_set_clock,
KVM_CLOCK_REALTIME): a simulated host lives in 2011 (``EPOCH_NS``), so a real one has more to add.
"""

import time

from workbench.core.machine import EPOCH_NS

#: Nanoseconds: longer than any sequence takes.
TOLERANCE = 60 * 10**9


class SetClock:
    """The clock, as it was last set."""

    def __init__(self) -> None:
        self.is_set = False
        self.is_running = False  #: a vCPU has entered, or the clock was set
        self._ahead = 0  #: of the real host's clock before the simulator's, in ns

    def was_set(self, realtime: int | bool) -> None:
        """The VMM has set it, as of a time of day in ns (true: now; false: none)."""
        self.is_set = self.is_running = True
        self._ahead = 0 if isinstance(realtime, bool) else _since(realtime, time.time_ns()) - _since(realtime, EPOCH_NS)

    def is_near(self, simulated: int, real: int) -> bool:
        """Tell whether two readings are of clocks that were set alike."""
        return (real - simulated - self._ahead + TOLERANCE) % (1 << 64) <= 2 * TOLERANCE


def _since(realtime: int, now: int) -> int:
    return max(0, now - realtime)
