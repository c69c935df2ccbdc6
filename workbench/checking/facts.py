"""The interface by which failure properties query one state of a machine, independent of the engine.

A property is a function of :class:`Facts`. The explorer evaluates it in every state; the replay of a finding evaluates
it again on the bytes of a concrete machine. An engine implements :meth:`value`, :meth:`at_rest`, :meth:`reachable`,
:meth:`content`, :meth:`held` and :meth:`names`; all other methods are defined here.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from workbench.checking.ghosts import was_area
from workbench.core.contracts import Feature
from workbench.core.host_state import DERIVED, Key, area
from workbench.core.outcome import Answer
from workbench.core.scenario import Scenario, asked, believes


class Place(NamedTuple):
    """One area of a scenario: its owner and its feature."""

    owner: int
    feature: Feature

    def __str__(self) -> str:
        return f"{self.feature.name} of " + (f"vCPU {self.owner}" if self.owner >= 0 else "the VM")


class _Held(Mapping[Hashable, Any]):
    """The host's entries as a mapping without the keys that have no value."""

    def __init__(self, facts: "Facts") -> None:
        self._facts = facts

    def __getitem__(self, key: Hashable) -> Any:
        value = self._facts.value(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[Hashable]:
        return (key for key, _ in self._facts.held())

    def __len__(self) -> int:
        return sum(1 for _ in self._facts.held())


class Facts:
    """One state of a machine under a scenario."""

    scenario: Scenario

    # -- implemented by engines ------------------------------------------------------------------------

    def value(self, name: Hashable) -> Any:
        """Return the value of a host entry, a note or a ghost; None if it has none."""
        raise NotImplementedError

    def at_rest(self) -> bool:
        """Tell whether the machine is idle: no program runs, no update is under way, no vCPU is paused."""
        raise NotImplementedError

    def reachable(self, gpa: int, size: int) -> bool:
        """Tell whether a write of the host to [gpa, gpa+size) would arrive."""
        raise NotImplementedError

    def content(self, gpa: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of the known parts of guest memory in [gpa, gpa+size)."""
        raise NotImplementedError

    def held(self) -> Iterator[tuple[Key, Any]]:
        """Yield the host's entries that have a value, derived ones included."""
        raise NotImplementedError

    def names(self) -> int:
        """Return an upper bound, cheap to compute, of the number of entries that the host could hold."""
        raise NotImplementedError

    # -- derived from these ----------------------------------------------------------------------------

    def places(self) -> Iterator[Place]:
        """Yield every area that the protocol can express."""
        for feature in self.scenario.supported():
            for owner in self.scenario.owners(feature):
                yield Place(owner, feature)

    def believed(self, place: Place) -> int | None:
        """Return where the guest believes the area to be registered."""
        gpa: int | None = self.value(believes(place.owner, place.feature.name))
        return gpa

    def concluded(self, place: Place) -> Answer | None:
        """Return what the guest concluded from its last registration."""
        answer: Answer | None = self.value(asked(place.owner, place.feature.name))
        return answer

    def live(self, place: Place) -> int | None:
        """Return where the host serves the area; None for a value feature that the guest believes unregistered."""
        gpa = self.believed(place)
        if place.feature.is_value and gpa is None:
            return None
        return self.scenario.protocol.serving(_Held(self), place.owner, place.feature, gpa or 0)

    def served_last(self, place: Place) -> int | None:
        """Return where the host last served the area, even if it no longer does."""
        gpa: int | None = self.value(was_area(area(place.owner, place.feature.name)))
        return gpa

    def arrives(self, place: Place, gpa: int) -> bool:
        """Tell whether the host's writes to an area at ``gpa`` would arrive (or: a register holds the value)."""
        return self.keeps_no_area(place) or self.reachable(gpa, place.feature.size)

    def keeps_no_area(self, place: Place) -> bool:
        """Tell whether the protocol keeps this value in a register and serves no memory for it."""
        if not place.feature.is_value:
            return False
        return self.value(area(place.owner, place.feature.name)) is None

    def registrations(self, owner: int) -> int:
        """Return how many entries the host holds for ``owner``, not counting derived ones."""
        return sum(1 for key, _ in self.held() if key.cpu == owner and key.kind not in DERIVED)
