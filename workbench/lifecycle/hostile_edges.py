"""A hostile guest at the edges of memory and of sizes: addresses and sizes at which a check that is off by one shows.

Real bugs of this kind: CVE-2013-1796 (an area that crosses a page's end), CVE-2013-6368 (the same of the VAPIC page),
CVE-2013-1797 (memory that is not there), 4a969980f5ec ("KVM: fix memory slot overlap check"). A register's lowest
address bits are control bits; an address that a design cannot express is then another request.
"""

from workbench.core.contracts import Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.scenario import Scenario
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.hostile import Hostile
from workbench.lifecycle.scratch import target


class HostileRamEnd(Hostile):
    """Each area ends where memory ends; a host that counts one byte too many refuses what it must serve."""

    name = "hostile-ram-end"
    title = "hostile: area at the end of RAM"

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """The last page of memory."""
        return (scenario.end_of_memory - PAGE_SIZE,)

    def adapt(self, scenario: Scenario) -> Scenario:
        """Such an area is as good as any: the host may not refuse it."""
        return scenario

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the last gpa at which the payload fits."""
        return scenario.end_of_memory - feature.size


class HostileRamOver(Hostile):
    """Each area ends after the end of memory, by as little as the design can express: a byte, or the alignment."""

    name = "hostile-ram-over"
    title = "hostile: area just over RAM's end"

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """The last page of memory."""
        return (scenario.end_of_memory - PAGE_SIZE,)

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the first gpa at which the payload does not fit; in a register, whose low bits are flags, aligned."""
        step = 1 if scenario.protocol.descriptor is not None else feature.align
        return scenario.end_of_memory - feature.size + step


class HostilePageEnd(Hostile):
    """Each area begins with the last byte of a page."""

    name = "hostile-page-end"
    title = "hostile: base one below a page's end"

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa of the last byte of a page."""
        return target(index) + PAGE_SIZE - 1


class HostileAddressZero(Hostile):
    """The first area begins at address 0, which is memory like any other."""

    name = "hostile-address-zero"
    title = "hostile: address 0"

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """The first page of memory."""
        return (0,)

    def adapt(self, scenario: Scenario) -> Scenario:
        """Such an area is as good as any: the host may not refuse it."""
        return scenario

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return 0 for the first feature, an ordinary gpa for the others."""
        return target(index) if index else 0


class HostileSizeShort(Hostile):
    """The guest gives one byte less than the payload needs, at the end of memory: the missing byte is outside."""

    name = "hostile-size-short"
    title = "hostile: size one below the payload's"

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """The last page of memory."""
        return (scenario.end_of_memory - PAGE_SIZE,)

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa at which an area of this size ends with memory; with an implied size, an aligned one."""
        short = scenario.end_of_memory - self.size(feature)
        return short if scenario.protocol.descriptor is not None else short - short % feature.align

    def size(self, feature: Feature) -> int:
        """Return one byte less than the payload."""
        return feature.size - 1


class HostileSizeOne(Hostile):
    """The guest gives one byte, the last one of memory."""

    name = "hostile-size-one"
    title = "hostile: size 1"

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """The last page of memory."""
        return (scenario.end_of_memory - PAGE_SIZE,)

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return the gpa of the last byte of memory; with an implied size, an ordinary one."""
        return scenario.end_of_memory - 1 if scenario.protocol.descriptor is not None else target(index)

    def size(self, feature: Feature) -> int:
        """Return 1."""
        return 1
