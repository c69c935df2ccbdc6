"""What a page is about: which features are looked at, which events are explored, and at which sizes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.core.contracts import Feature
from workbench.measure.exploration.tasks import Size
from workbench.measure.variants import Variant, features_of, first_feature

#: The events of a page if none is named: one of each kind, those under which designs were seen to differ. All of them
#: take several times as long.
EVENTS = (
    "boot", "old-host", "cpu-hotplug", "cpu-unplug", "init", "suspend-resume", "kexec", "kexec-no-teardown", "crash",
    "migrate", "migrate-damaged", "memslot-unplug", "descriptor-race", "double-registration-moved", "overlap",
    "hostile-bad-base", "hostile-page-crossing", "encrypted", "nmi-between-exits", "read-back",
)  # fmt: skip
#: With how many vCPUs designs are explored if not at the sizes of the failure matrix.
VCPUS = 2
_LONGEST = 60  #: characters of one piece of a command line


@dataclass(frozen=True)
class Scope:
    """What is asked; names are as on a command line."""

    features: tuple[str, ...] | None = None  #: None: those of each design's own ABI
    events: tuple[str, ...] = EVENTS
    quick: bool = False  #: each design is explored with its first feature alone
    repairs: bool = True  #: designs are explored with all their mitigations too

    def carried(self, one: Variant) -> tuple[Feature, ...]:
        """Return the features of a design that are looked at."""
        return features_of(one, self.features)

    def size(self, one: Variant) -> Size | None:
        """Return the one size at which a design is explored; None: those of the failure matrix."""
        if self.quick:
            return Size(VCPUS, first_feature(one) if self.features is None else self.features[:1])
        return None if self.features is None else Size(VCPUS, self.features)

    def feature_pieces(self) -> tuple[str, ...]:
        """Return the pieces of a command line that say which features are looked at."""
        return () if self.features is None else pieces("--features", self.features)

    def explored_pieces(self, one: Variant) -> tuple[str, ...]:
        """Return the pieces of a command line that say at which size a design was explored."""
        size = self.size(one)
        return () if size is None else (*pieces("--features", size.features), f"--vcpus {size.vcpus}")

    def event_pieces(self) -> tuple[str, ...]:
        """Return the pieces of a command line that say which events were explored."""
        return pieces("--events", self.events)


def pieces(option: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return ``option`` with its values, repeated where one piece would be too long for a line of text."""
    return tuple(f"{option} {text}" for text in _chunks([shlex.quote(name) for name in names]))


def _chunks(names: Sequence[str]) -> Iterator[str]:
    line = names[0]
    for name in names[1:]:
        if len(line) + len(name) >= _LONGEST:
            yield line
            line = name
        else:
            line += f",{name}"
    yield line
