"""Events in which the host moves the memory of an area, or the VMM places it."""

from dataclasses import replace

from workbench.core.driver import host_side
from workbench.core.event_steps import Enter, HostCall, OnHost
from workbench.core.memory import PAGE_SIZE
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.history.hostmap import move_page
from workbench.lifecycle.event import AfterBoot, AtBoot


class PageMoved(AfterBoot):
    """The host moves the page of vCPU 0's area to another frame; the guest cannot observe it."""

    name = "page-moved"
    title = "host moves a guest page"

    def happen(self, scenario: Scenario) -> Program:
        feature = scenario.supported()[0]
        gpa = scenario.addresses.gpa(scenario.addresses.area(0, 0, feature))
        yield OnHost(0, HostCall(page_moves, (gpa // PAGE_SIZE,)))
        yield Enter(0)


def page_moves(page: int) -> Program:
    """Host: move one page; its steps are marked as the host's."""
    return host_side(move_page(page))


class HostAllocated(AtBoot):
    """The VMM places each area; the guest boots and asks for the address."""

    name = "host-allocated"
    title = "boot, areas placed by the VMM"

    def happen(self, scenario: Scenario) -> Program:
        yield OnHost(0, HostCall(places_areas, (scenario,)))
        yield from super().happen(scenario)


class EncryptedHostAllocated(HostAllocated):
    """The same in a guest whose memory the host cannot touch until it is shared."""

    name = "encrypted-host-allocated"
    title = "encrypted boot, areas placed by the VMM"

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest with encrypted memory."""
        return replace(scenario, encrypted=True)


def places_areas(scenario: Scenario) -> Program:
    """VMM: pass the address of each vCPU's area to the host."""
    addresses = scenario.addresses
    feature = scenario.supported()[0]
    for cpu in scenario.cpus:
        gpa = addresses.gpa(addresses.area(0, cpu.index, feature))
        yield from host_side(scenario.protocol.place(cpu, feature, gpa))  # type: ignore[attr-defined]
