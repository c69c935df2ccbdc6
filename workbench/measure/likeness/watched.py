"""What the host does in guest memory while the guest registers an area: recorded by the machine's own trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.host_state import Key
from workbench.core.machine import Access
from workbench.measure.design_check.tried import Tried


class Watched:
    """Records the accesses of a machine from now on; ``gpa`` is where the area of ``feature`` is."""

    def __init__(self, tried: Tried, feature: Feature, gpa: int) -> None:
        self.gpa, self._end = gpa, gpa + feature.size
        self._machine = tried.machine
        self._trace: list[Access] = []
        self._before = tried.machine.counts["exits"]
        tried.machine.trace = self._trace

    @property
    def exits(self) -> int:
        """The exits since then."""
        return int(self._machine.counts["exits"] - self._before)

    def _by_host(self, cause: str, *, inside: bool) -> list[Access]:
        return [
            one
            for one in self._trace
            if one.side != "guest" and one.cause == cause and one.gpa is not None
            and (self.gpa <= one.gpa < self._end) == inside
        ]  # fmt: skip

    @property
    def host_read(self) -> bool:
        """Whether the host has read guest memory outside the area."""
        return bool(self._by_host("load", inside=False))

    @property
    def host_wrote(self) -> bool:
        """Whether the host has written guest memory outside the area."""
        return bool(self._by_host("store", inside=False))

    @property
    def host_wrote_area(self) -> bool:
        """Whether the host has written the area."""
        return bool(self._by_host("store", inside=True))


def kept_for(entries: Mapping[Any, Any], cpu: int) -> dict[Any, Any]:
    """Return the entries of one vCPU."""
    return {key: value for key, value in entries.items() if isinstance(key, Key) and key.cpu == cpu}
