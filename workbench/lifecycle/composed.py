"""Events one after the other, written ``init+migrate``: the second begins where the first has ended.

* The machine is adapted to all parts at once: an i386 guest that is moved is an i386 guest from the start.
* The setup is that of the first part that has more to say than that all vCPUs boot. A later part's setup does not
  count if the first part is itself a boot, or if the last vCPU was taken down before: it then comes up once more.
* What a part calls the running kernel (``Scenario.kernel``) is the one that the parts before it have left: after a
  kexec the areas are those of the next kernel. Each further kernel gets memory of its own.
* After a part in which the machine ends, because its VMM could not restore it, no other part happens.
* A part that follows a migration happens on the destination: a VMM that restores once more does so on such a host.
* Memory that a part has given away belongs to a kernel again as soon as that kernel prepares an area there. Until then
  it is somebody else's, in later parts too.
* A part that is a boot (``AtBoot``) begins the machine anew if it is not the first: the VMM resets every vCPU, the old
  kernel is gone, and its memory belongs to nobody who registered it. The reset is modelled as INIT, as in
  ``suspend``; QEMU would write zeros to all of KVM's registers too (target/i386/kvm/kvm.c, KVM_PUT_RESET_STATE).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.event_steps import Init, KernelGone
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.errors import WorkbenchError
from workbench.lifecycle.event import ENDED, AfterBoot, AtBoot
from workbench.lifecycle.kexec import reused_memory
from workbench.lifecycle.memslots import MemslotUnplug
from workbench.lifecycle.second_page import SecondPage

SEPARATOR = "+"


@dataclass(frozen=True, repr=False)
class Composed(Event):
    """Several events, one after the other. Two with equal parts are equal."""

    group = "one event after the other"

    parts: tuple[Event, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """The names of the parts, joined by plus signs."""
        return SEPARATOR.join(part.name for part in self.parts)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The titles of the parts."""
        return ", then ".join(part.title for part in self.parts)

    @property
    def min_vcpus(self) -> int:  # type: ignore[override]
        """As many as the part needs that needs most."""
        return max(part.min_vcpus for part in self.parts)

    def applies(self, scenario: Scenario) -> bool:
        """Tell whether every part can happen."""
        return all(part.applies(scenario) for part in self.parts)

    def concerns(self, features: Sequence[Feature]) -> bool:
        """Tell whether any part is about these features."""
        return any(part.concerns(features) for part in self.parts)

    def adapt(self, scenario: Scenario) -> Scenario:
        """Return ``scenario`` as all parts require it, with memory for every kernel."""
        for part in self.parts:
            scenario = part.adapt(scenario)
        further = sum(map(_kernels, self.parts[:-1])) + sum(isinstance(part, AtBoot) for part in self.parts[1:])
        return replace(scenario, kernels=scenario.kernels + further, retakes=True)

    def setup(self, scenario: Scenario) -> Program:
        """The setup of the first part that has one of its own, else that of the first part."""
        return self._prepares().setup(scenario)

    def _prepares(self) -> Event:
        first = self.parts[0]
        if isinstance(first, AtBoot):
            return first
        for part in self.parts:
            if type(part).setup not in (AfterBoot.setup, AtBoot.setup):
                return part
            if part.takes_down:
                break
        return first

    def happen(self, scenario: Scenario) -> Program:
        """One part after the other, each with the kernel that runs when it begins."""
        for number, part in enumerate(self.parts):
            if number and isinstance(part, AtBoot):
                yield from reset_machine(scenario)
                scenario = replace(scenario, kernel=scenario.kernel + 1)
            if (yield from part.happen(scenario)) is ENDED:
                return ENDED
            scenario = part.leaves(scenario)
        return None


def _check(event: Composed) -> None:
    """Raise WorkbenchError if a part deletes memory of the running kernel that an earlier part has deleted."""
    if sum(isinstance(part, SecondPage) for part in event.parts) > 1:
        raise WorkbenchError(f"event {event.name!r} cannot happen: the second pages are where they were only once")
    missing = False
    for part in event.parts:
        if isinstance(part, MemslotUnplug) and missing:
            why = f"there is no memory left that {part.name!r} could unplug"
            raise WorkbenchError(f"event {event.name!r} cannot happen: {why}")
        missing = not part.new_kernels and (missing or type(part) is MemslotUnplug) and not isinstance(part, AtBoot)


def _kernels(part: Event) -> int:
    return part.new_kernels


def reset_machine(scenario: Scenario) -> Program:
    """The VMM resets every vCPU; the kernel and its notes are gone, and its memory has a new owner."""
    for cpu in range(scenario.vcpus):
        yield Init(cpu)
    yield KernelGone(tuple(range(scenario.vcpus)))
    yield reused_memory(scenario)


def composed(parts: Sequence[Event]) -> Event:
    """Return the event of these parts in order; raise WorkbenchError if there are none."""
    flat = tuple(one for part in parts for one in (part.parts if isinstance(part, Composed) else (part,)))
    if not flat:
        raise WorkbenchError("an event has at least one part")
    if len(flat) == 1:
        return flat[0]
    found = Composed(flat)
    _check(found)
    names = ([of(part) for part in flat] for of in (own_files.named, own_files.named_anywhere))
    own_files.remember(found, *(SEPARATOR.join(each) for each in names))
    return found
