"""Follows the tokens of asynchronous page faults: of which vCPUs and areas two hosts need not agree, and since when.

Whether a token is written depends on what the guest's memory holds at that moment, and on requests that still wait
(``per_feature`` R9). So one token that was left out makes others uncertain: those of its vCPU, and of every vCPU that
registers the same area. A vCPU is certain again when its register is disabled, which drops what waits (Linux
kvm_clear_async_pf_completion_queue); an area when the guest writes the whole token, or both hosts show the same.
"""

from workbench.fuzz.areas import Area
from workbench.fuzz.exclusions import LeftOut

EARLY, AFTER_VMM, IN_OVERLAP = "early-token", "token-after-vmm", "token-in-overlap"


class Tokens:
    """Which tokens may differ."""

    def __init__(self, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._areas: list[Area] = []
        self._hidden: set[int] = set()
        self._unsure: dict[int, str] = {}  #: the exclusion by which a vCPU's tokens are left out

    def registered(self, cpu: int, area: Area, *, by_host: bool) -> None:
        """A vCPU has enabled tokens at ``area``."""
        if not any(area is one for one in self._areas):
            self._areas.append(area)
        if not by_host and self._left_out.applies(EARLY):
            area.asked.add(cpu)
        if not area.token_is_own:
            self._doubt(cpu, IN_OVERLAP)
        elif reason := self.why(area):
            self._doubt(cpu, reason)
        for each in area.cpus if cpu in self._unsure else ():
            self._doubt(each, self._unsure[cpu])

    def hidden(self, cpu: int, *, is_hidden: bool) -> None:
        """CPUID hides the register of a vCPU, or no longer: the VMM's 0 is then accepted and ignored."""
        (self._hidden.add if is_hidden else self._hidden.discard)(cpu)

    def disabled(self, cpu: int, *, by_init: bool = False) -> None:
        """A vCPU has no tokens any more, and none waits."""
        if cpu in self._hidden and not by_init:
            return
        if reason := self._unsure.pop(cpu, ""):
            for area in self._areas:
                if cpu in area.cpus:
                    area.stale_token = reason

    def met(self, area: Area) -> None:
        """Another area's host may now write the token of ``area``, or did before."""
        if not area.token_is_own:
            for cpu in area.cpus:
                self._doubt(cpu, IN_OVERLAP)

    def disturbed(self, cpu: int | None = None) -> None:
        """Something happens to a vCPU (None: to all) that depends on whether a requested token is there already."""
        for area in self._areas:
            for each in tuple(area.asked):
                if cpu in (None, each):
                    self._doubt(each, AFTER_VMM)

    def stored(self, low: int, high: int) -> None:
        """Guest memory [low, high) was overwritten, with the same on both hosts."""
        for area in self._areas:
            start, end = _token(area)
            if low < end and start < high:
                self._disturb(area)
                if low <= start and end <= high:
                    area.stale_token = ""

    def why(self, area: Area) -> str:
        """Return the exclusion by which the token of ``area`` is left out; empty if it is compared."""
        if not area.token_is_own and self._left_out.applies(IN_OVERLAP):
            return IN_OVERLAP
        for cpu in area.cpus:
            if cpu in self._unsure:
                return self._unsure[cpu]
        return area.stale_token

    def _disturb(self, area: Area) -> None:
        for cpu in tuple(area.asked):
            self._doubt(cpu, AFTER_VMM)

    def _doubt(self, cpu: int, reason: str) -> None:
        if cpu in self._unsure or not self._left_out.applies(reason):
            return
        self._unsure[cpu] = reason
        for area in self._areas:
            if cpu in area.cpus:
                for other in area.cpus:
                    self._doubt(other, reason)


def _token(area: Area) -> tuple[int, int]:
    low, high = area.form.mailbox[0]
    return area.gpa + low, area.gpa + high
