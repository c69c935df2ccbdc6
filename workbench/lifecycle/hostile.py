"""A hostile guest: it calls the protocol's own guest side with arguments that no kernel would choose.

vCPU 0 is hostile from the start, the others boot as usual. Every protocol passes the address to the host. The size is
passed only if the protocol has a field for it; otherwise it is implied, and the call is an ordinary one. Real bugs
of this kind: CVE-2013-1796 (an area across a page end: the host had mapped one page and wrote past it),
"kvm: Disallow wraparound in kvm_gfn_to_hva_cache_init" (f1b9dd5eb86c, 2018: gpa + len wrapped and skipped the
check), afd67ee3cbbd (PV_EOI_EN kept an address it had refused).
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.event_steps import Enter, Start, Wait
from workbench.core.hypercalls import share
from workbench.core.memory import GPA_LIMIT, PAGE_SIZE
from workbench.core.outcome import REFUSED
from workbench.core.scenario import Scenario, asked, attempts
from workbench.core.steps import Note, Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, boot_all
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.scratch import SCRATCH, TARGET_PAGES, crossing, target


@cache
def resized(feature: Feature, size: int) -> Feature:
    """Return ``feature`` with another size in bytes; the same object each time, because programs compare by value."""
    twin = copy(feature)
    vars(twin)["size"] = size
    return twin


@cache
def renamed(feature: Feature, name: str) -> Feature:
    """Return ``feature`` under another name, and so with another type number."""
    twin = copy(feature)
    vars(twin)["name"] = name
    return twin


class Hostile(AfterBoot):
    """vCPU 0 registers each of its features at :meth:`place` with :meth:`size`."""

    group = "hostile guests"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The host may refuse everything that this guest asks for."""
        return replace(scenario, rightly_refused=True)

    def setup(self, scenario: Scenario) -> Program:
        """The other vCPUs boot."""
        yield from boot_all(scenario, without=0)

    def happen(self, scenario: Scenario) -> Program:
        yield Start(0, HostileKernel(scenario, event=self).attack)
        yield Enter(0)

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa at which the feature is to be registered; default: an ordinary one."""
        return target(index)

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """Return the gpas of further pages that an encrypted guest shares; default: none."""
        return ()

    def size(self, feature: Feature) -> int:
        """Return the size in bytes to register; default: the right one."""
        return feature.size

    def targets(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield the features to register, in order, each with its gpa."""
        for index, feature in enumerate(LinuxKernel(scenario).at_boot(cpu)):
            size = self.size(feature)
            changed = feature if size == feature.size else resized(feature, size)
            yield changed, self.place(scenario, cpu, index, feature)


@dataclass(frozen=True, kw_only=True)
class HostileKernel(LinuxKernel):
    """The kernel on vCPU 0: it registers the targets of the event."""

    event: Hostile

    def attack(self, cpu: Vcpu) -> Program:
        """Guest: register every target."""
        if self.scenario.encrypted:  # otherwise the encryption alone would decide every answer
            yield from self.share(cpu)
            yield share(SCRATCH, len(self.scenario.features) * TARGET_PAGES * PAGE_SIZE)
            for page in self.event.shared(self.scenario):
                yield share(page, PAGE_SIZE)
        yield from self.prepare(cpu)
        for feature, gpa in tuple(self.event.targets(self.scenario, self.here(cpu))):
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation, gpa)
        if isinstance(self.event, HostileEndless):
            yield Note(attempts(cpu.index), self.event.registrations)

    def process(self, cpu: Vcpu) -> Program:
        """Guest process: try to register; the answer is always REFUSED, because #GP in user mode ends the process."""
        own = cpu.but(descriptor=target(0) + PAGE_SIZE)
        for feature, gpa in tuple(self.event.targets(self.scenario, self.here(cpu))):
            yield from self.scenario.protocol.register(own, feature, gpa)
            owner = self.scenario.addresses.area(self.generation, cpu.index, feature).cpu
            yield Note(asked(owner, feature.name), REFUSED)


class HostileBadBase(Hostile):
    """The areas begin where the last memslot ends."""

    name = "hostile-bad-base"
    title = "hostile: base outside RAM"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return a gpa after the end of all memory, page-aligned."""
        return scenario.end_of_memory + index * PAGE_SIZE


class HostileSizeZero(Hostile):
    """The areas have size 0; under a design in which size 0 revokes, the guest revokes without knowing it."""

    name = "hostile-size-zero"
    title = "hostile: size 0"

    def size(self, feature: Feature) -> int:
        """Return 0."""
        return 0


class HostileWrap(Hostile):
    """Base + size is more than 2^64."""

    name = "hostile-wrap"
    title = "hostile: base + size wraps"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa of the last 64 bytes of the address space."""
        return GPA_LIMIT - 64

    def size(self, feature: Feature) -> int:
        """Return a size with which the area wraps to low memory."""
        return PAGE_SIZE


class HostileHuge(Hostile):
    """The areas have the largest size that a __u32 can hold; the base is ordinary RAM."""

    name = "hostile-huge"
    title = "hostile: size 4 GiB - 1"

    def size(self, feature: Feature) -> int:
        """Return the largest 32-bit number."""
        return 0xFFFF_FFFF


class HostileUnaligned(Hostile):
    """The base is 2 bytes off; in a register with control bits this is a different request."""

    name = "hostile-unaligned"
    title = "hostile: base unaligned"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return an even gpa that no feature's alignment allows."""
        return target(index) + 2


class HostilePageCrossing(Hostile):
    """Each area lies half on one page and half on the next; nothing was registered before."""

    name = "hostile-page-crossing"
    title = "hostile: area across a page"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return a gpa at which the area crosses a page boundary."""
        return crossing(index, feature)


class HostileSelf(Hostile):
    """Every area contains its own descriptor; under a protocol without a descriptor, an ordinary registration."""

    name = "hostile-self"
    title = "hostile: descriptor in its area"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the descriptor's gpa."""
        has_descriptor = scenario.protocol.descriptor is not None
        return cpu.descriptor if has_descriptor else target(index)

    def size(self, feature: Feature) -> int:
        """Return a size that holds the payload and the descriptor."""
        return max(feature.size, 64)


class HostileEndless(Hostile):
    """A booted guest registers again and again, each time a new type, or a new address where types are fixed."""

    name = "hostile-endless"
    title = "hostile: endless registrations"
    registrations: ClassVar[int] = 256

    def adapt(self, scenario: Scenario) -> Scenario:
        """A guest that has booted before it becomes hostile asks for something that no host may refuse."""
        return scenario

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots."""
        yield from boot_all(scenario)

    def happen(self, scenario: Scenario) -> Program:
        """Wait for the boot of vCPU 0, because an interrupted registration would be another kind of failure."""
        yield Wait(0)
        yield from super().happen(scenario)

    def targets(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield one feature again and again, at new addresses, and with new names if the protocol can express them."""
        feature = next((f for f in LinuxKernel(scenario).at_boot(cpu) if f.scope == "vcpu"), None)
        if feature is None:
            return
        step = -(-feature.size // 64) * 64
        for number in range(self.registrations):
            new = renamed(feature, f"{feature.name}-{number}")
            yield (new if scenario.protocol.supports(new) else feature), SCRATCH + number * step


class HostileUserMode(Hostile):
    """A process at CPL 3 registers its own memory, before the kernel does."""

    name = "hostile-user-mode"
    title = "hostile: from user mode"

    def happen(self, scenario: Scenario) -> Program:
        yield Start(0, HostileKernel(scenario, event=self).process, cpl=3)
        yield Enter(0)
