"""Events of a VMM: what it says of a stop, when it starts the vCPUs, and what it takes for an error of its own.

Sources: Firecracker pull request 5494 and issue 5322; cloud-hypervisor pull requests 3591 and 7932; QEMU bug 1896263
on Launchpad.
"""

from dataclasses import replace
from typing import Any

from workbench.core.driver import host_side
from workbench.core.event_steps import Becoming, Enter, HostCall, OnHost, Pause, Resume, WaitAll
from workbench.core.kvm_registers import ASYNC_PF_INT
from workbench.core.outcome import HANDLED, Becomes
from workbench.core.scenario import Scenario
from workbench.core.steps import Note, Program
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.history.broken.clock_of_vm import set_clock
from workbench.history.properties import GAVE_UP, VMM_ASKED
from workbench.lifecycle.event import ENDED, AtBoot, enter_all
from workbench.lifecycle.migrate import Migration, arrive, move, save_on
from workbench.lifecycle.pause import VmmPause, say_stopped


class ToldBeforeSnapshot(VmmPause):
    """The VMM says that the guest was stopped when it pauses it; the snapshot that it then takes runs elsewhere."""

    name = "told-before-snapshot"
    title = "snapshot, told when paused"

    def stop(self, scenario: Scenario) -> Program:
        yield Pause()
        answers = yield from say_stopped(scenario)
        saved = yield OnHost(0, HostCall(save_on, (scenario,)))
        if (yield from arrive(scenario, saved)) is ENDED:
            return ENDED
        yield Resume()
        return answers


def judges(is_error: bool) -> Program:
    """VMM: it has asked for something; if the answer is an error to it, it gives up the migration."""
    return host_side(_judges(is_error))


def _judges(is_error: bool) -> Program:
    yield Note(VMM_ASKED, True)
    if is_error:
        yield Note(GAVE_UP, True)


class StoppedInFirmware(AtBoot):
    """The VMM stops a guest whose firmware has no clock, and says so; then a kernel boots that has one.

    ``strict``: the VMM takes the host's refusal (EINVAL) for an error.
    """

    name = "stopped-in-firmware"
    title = "VMM stops a guest in its firmware"

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def happen(self, scenario: Scenario) -> Program:
        yield Pause()
        answers: tuple[Any, ...] = yield from say_stopped(scenario)
        yield OnHost(0, HostCall(judges, (self.strict and not all(answers),)))
        yield Resume()
        yield from super().happen(scenario)


def reset_registers(scenario: Scenario) -> Program:
    """VMM: write the first value of each register that it carries; return how many the host refused (1: it stopped)."""
    for cpu in scenario.cpus:
        for one in cpu.host.vmm.registers(cpu.cpuid):
            program = scenario.protocol.on_wrmsr(cpu, one.msr, one.initial, host_initiated=True)
            if (yield from host_side(program)) is not HANDLED:
                return 1
    return 0


class StartWithoutLapic(AtBoot):
    """A VMM writes all registers and starts a guest, with the LAPIC in the VMM (QEMU's ``kernel-irqchip=off``)."""

    name = "start-without-lapic"
    title = "VMM starts a guest, LAPIC not in the kernel"
    restores = True

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest without a LAPIC in the kernel, and without the interrupt of page faults."""
        host = replace(scenario.host, irqchip=False)
        return replace(scenario, host=host, cpuid=KVM_SUPPORTED - ASYNC_PF_INT.cpuid_bits)

    def happen(self, scenario: Scenario) -> Program:
        vmm = scenario.host.vmm
        refused = yield OnHost(0, HostCall(reset_registers, (scenario,)))
        yield Becoming(vmm.becomes if refused else Becomes.GOES_ON)
        if vmm.ends(refused):
            return ENDED
        yield from super().happen(scenario)
        return None


class ClockRestored(Migration):
    """A migration of a guest whose VM has a clock; ``when`` the VMM sets it again: "first", "late" or "never".

    First: before the vCPUs run. Late: when they run already.
    """

    name = "clock-restored"
    title = "migration, when is the VM's clock set?"

    def __init__(self, when: str) -> None:
        self.when = when

    def happen(self, scenario: Scenario) -> Program:
        yield WaitAll(tuple(range(scenario.vcpus)))
        yield OnHost(0, HostCall(sets_clock, (scenario.vcpus,)))  # the guest has lived for a while
        yield from enter_all(scenario)
        yield Pause()
        saved = yield OnHost(0, HostCall(save_on, (scenario,)))
        if (yield from arrive(scenario, saved)) is ENDED:
            return ENDED
        if self.when == "first":
            yield OnHost(0, HostCall(sets_clock, (scenario.vcpus,)))
        yield Resume()
        yield from enter_all(scenario)
        if self.when == "late":
            yield OnHost(0, HostCall(sets_clock, (scenario.vcpus,)))
        return None


class SecondVcpuFirst(Migration):
    """A migration after which vCPU 1 is the first to run, and vCPU 0 has not run yet."""

    name = "second-vcpu-first"
    title = "migration, vCPU 1 runs first"
    min_vcpus = 2

    def happen(self, scenario: Scenario) -> Program:
        if (yield from move(scenario)) is ENDED:
            return ENDED
        yield Enter(1)
        return None


def sets_clock(vcpus: int) -> Program:
    """VMM: KVM_SET_CLOCK; its steps are marked as the host's."""
    return host_side(set_clock(vcpus))
