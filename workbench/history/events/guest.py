"""Guests that use shared memory: they unmap it, request TLB flushes through it, or wait for an answer in it."""

from dataclasses import dataclass

from workbench.clayout.layout import U8, U64
from workbench.core.driver import host_side
from workbench.core.event_steps import Enter, HostCall, KernelGone, OnHost, Reassign, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Load, Note, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.features.steal_time import PREEMPTED
from workbench.history.events.host import places_areas
from workbench.history.properties import FLUSH_LEFT_TO_HOST, GUEST_TRIPPED
from workbench.lifecycle.event import AfterBoot, of_its_own
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.scratch import SCRATCH

#: Two words in guest memory: a pointer to an area, and whether the page tables map the area.
POINTER, MAPPED = SCRATCH, SCRATCH + 8


class UnmapWhileReading(AfterBoot):
    """vCPU 1 unmaps an area while vCPU 0 reads through the mapping; with ``grace`` it waits for readers first."""

    name = "unmap-while-reading"
    title = "mapping torn down under a reader"
    min_vcpus = 2

    def __init__(self, grace: bool) -> None:
        self.grace = grace

    def happen(self, scenario: Scenario) -> Program:
        yield OnHost(0, HostCall(places_areas, (scenario,)))
        for cpu in range(scenario.vcpus):
            yield from of_its_own(cpu, LinuxKernel(scenario).boot)
        yield from of_its_own(0, maps)
        yield Wait(0)
        yield Start(0, reads)
        yield from of_its_own(1, hides)
        yield Wait(1)
        if self.grace:
            yield Wait(0)  # synchronize_rcu: every reader that saw the pointer has finished
        yield Start(1, unmaps)
        yield Wait(0)
        yield Enter(0)

    def setup(self, scenario: Scenario) -> Program:
        """Do nothing: the areas must be placed first."""
        return
        yield


def maps(cpu: Vcpu) -> Program:
    """Guest: map the area and publish the pointer to it."""
    yield Store(MAPPED, 1, U64)
    yield Store(POINTER, 1, U64)


def hides(cpu: Vcpu) -> Program:
    """Guest: clear the pointer."""
    yield Store(POINTER, 0, U64)


def unmaps(cpu: Vcpu) -> Program:
    """Guest: tear down the mapping."""
    yield Store(MAPPED, 0, U64)


def reads(cpu: Vcpu) -> Program:
    """Guest: read through the pointer, if there is one."""
    if (yield Load(POINTER, U64)) and not (yield Load(MAPPED, U64)):
        yield Note(GUEST_TRIPPED, True)


class UserMode(AfterBoot):
    """The kernel goes to user mode, where its page tables do not map the area (page-table isolation)."""

    name = "user-mode"
    title = "guest enters user mode"

    def setup(self, scenario: Scenario) -> Program:
        """Boot vCPU 0 with its area mapped."""
        yield Start(0, IsolatingKernel(scenario).boot)

    def happen(self, scenario: Scenario) -> Program:
        yield from of_its_own(0, unmaps)
        yield Wait(0)
        yield Enter(0)


@dataclass(frozen=True)
class IsolatingKernel(LinuxKernel):
    """A kernel that maps its areas in kernel mode only."""

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: map, then register."""
        yield Store(MAPPED, 1, U64)
        yield from super().boot(cpu)


class RemoteFlush(AfterBoot):
    """vCPU 0 was preempted and runs again while vCPU 1 requests a flush of its TLB."""

    name = "remote-flush"
    title = "TLB flush of a preempted vCPU"
    min_vcpus = 2

    def happen(self, scenario: Scenario) -> Program:
        addresses, feature = scenario.addresses, scenario.supported()[0]
        for cpu in range(scenario.vcpus):
            yield Wait(cpu)
        gpa = addresses.gpa(addresses.area(0, 0, feature))
        yield OnHost(0, HostCall(preempts, (gpa,)))
        yield Start(1, RemoteFlusher(gpa).flush)
        yield Enter(0)


def preempts(gpa: int) -> Program:
    """Host: schedule vCPU 0 out, and mark it as preempted in its steal time."""
    return host_side(_says_preempted(gpa))


def _says_preempted(gpa: int) -> Program:
    yield Store(gpa + PREEMPTED, 1, U8)


@dataclass(frozen=True)
class RemoteFlusher:
    """The flushing side: Linux arch/x86/kernel/kvm.c, kvm_flush_tlb_multi."""

    gpa: int

    def flush(self, cpu: Vcpu) -> Program:
        """Guest: leave a request to a preempted vCPU, which then flushes before it runs again; send others an IPI."""
        yield Store(self.gpa + PREEMPTED + 1, 1, U8)
        if (yield Load(self.gpa + PREEMPTED, U8)):
            yield Note(FLUSH_LEFT_TO_HOST, True)


class TimedOut(AfterBoot):
    """The guest stops waiting for an answer in memory; with ``gives_back`` it reuses that memory."""

    name = "timed-out"
    title = "guest gives up waiting"

    def __init__(self, gives_back: bool) -> None:
        self.gives_back = gives_back

    def happen(self, scenario: Scenario) -> Program:
        yield Wait(0)
        if self.gives_back:
            yield KernelGone((0,))
            yield Reassign(scenario.addresses.units(0, 0))
        yield Enter(0)
