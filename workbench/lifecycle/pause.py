"""The VMM stops the guest for a while, and says so before it runs again: KVM_KVMCLOCK_CTRL on each vCPU.

KVM refuses it (-EINVAL) for a vCPU whose kvmclock is not mapped; otherwise the next update of the clock sets
PVCLOCK_GUEST_STOPPED (Linux 6.12 arch/x86/kvm/x86.c, kvm_set_guest_paused, kvm_setup_guest_pvclock; 1c0b28c2a46d). QEMU
calls it whenever the VM begins to run, after a ``stop`` and after a migration, when all registers are restored
(hw/i386/kvm/clock.c, kvmclock_vm_state_change). The guest looks before a watchdog complains of a CPU that stood still
(arch/x86/kernel/kvmclock.c, kvm_check_and_clear_guest_paused; kernel/watchdog.c, watchdog_timer_fn).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.clayout.layout import U8, Abi
from workbench.core.contracts import Feature
from workbench.core.driver import host_side
from workbench.core.event_steps import GuestCall, HostCall, OnHost, Pause, Resume, Start, Wait, WaitAll, each
from workbench.core.scenario import Scenario, stop_heard
from workbench.core.steps import Load, Note, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import ENDED, AfterBoot, enter_all, starting
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.migrate import move


@dataclass(frozen=True)
class WatchedKernel(LinuxKernel):
    """Linux whose watchdogs look whether the host had stopped the CPU."""

    def look(self, cpu: Vcpu, accepted: bool) -> Program:
        """Guest: look, clear the flag, and note what was found; ``accepted``: the host's answer to the VMM."""
        for feature in self._telling():
            told = yield from self._take(cpu, feature)
            yield Note(stop_heard(cpu.index, feature.name), (accepted, told))

    def look_again(self, cpu: Vcpu, accepted: bool) -> Program:
        """Guest: look once more, and note only what was found; an earlier note no longer counts."""
        for feature in self._telling():
            told = yield from self._take(cpu, feature)
            yield Note(stop_heard(cpu.index, feature.name), (accepted, True) if told else None)

    def _telling(self) -> tuple[Feature, ...]:
        """The features whose payload has the flag; the guest cannot look where the host has placed an area."""
        placed = self.scenario.protocol.places_areas
        return () if placed else tuple(f for f in self.scenario.supported() if f.stop_flag is not None)

    def _take(self, cpu: Vcpu, feature: Feature) -> Program:
        assert feature.stop_flag is not None
        field, bit = feature.stop_flag
        addresses = self.scenario.addresses
        area = addresses.gpa(addresses.area(self.generation, cpu.index, feature))
        gpa = area + feature.payload.on(Abi.X86_64).offset_of(field)
        flags = yield Load(gpa, U8)
        if flags & bit:
            yield Store(gpa, flags & ~bit, U8)
        return bool(flags & bit)


def stopped_on(scenario: Scenario, cpu: int) -> Program:
    """VMM: say for one vCPU that the guest was stopped; return whether the host accepts it."""
    if not scenario.host.knows_protocol:
        return False
    return (yield from host_side(scenario.protocol.on_guest_stopped(scenario.cpu(cpu))))


def say_stopped(scenario: Scenario) -> Program:
    """The VMM says for every vCPU that the guest was stopped; return the host's answers."""
    answers: tuple[bool, ...] = ()
    for cpu in range(scenario.vcpus):
        answers += ((yield OnHost(cpu, HostCall(stopped_on, (scenario, cpu)))),)
    return answers


class VmmPause(AfterBoot):
    """The VMM stops all vCPUs and says so; after its next entry, every vCPU looks."""

    name = "vmm-pause"
    group = "kernels and CPUs come and go"
    title = "VMM stops the guest, and says so"

    def concerns(self, features: Sequence[Feature]) -> bool:
        """A stop is told by a payload that has a flag for it."""
        return any(feature.stop_flag is not None for feature in features)

    def happen(self, scenario: Scenario) -> Program:
        kernel, everyone = WatchedKernel(scenario), tuple(range(scenario.vcpus))
        yield WaitAll(everyone)
        accepted = yield from self.stop(scenario)
        if accepted is ENDED:
            return ENDED
        yield from enter_all(scenario)
        yield starting(everyone, lambda cpu: GuestCall(kernel.look, (accepted[cpu],)))
        return None

    def stop(self, scenario: Scenario) -> Program:
        """The guest stands still, and the VMM says so; return the host's answers."""
        yield Pause()
        answers = yield from say_stopped(scenario)
        yield Resume()
        return answers


class MigrateTold(VmmPause):
    """A live migration, after which the VMM of the destination says that the guest was stopped."""

    name = "migrate-told"
    group = "the machine moves"
    restores = True
    title = "migration, and the guest is told"

    def stop(self, scenario: Scenario) -> Program:
        """The machine moves; the VMM says so when all is restored."""
        return (yield from move(scenario, then=say_stopped))


class VmmPauseRevoked(VmmPause):
    """The VMM stops a guest that has revoked its areas, and says so; then the guest registers them again."""

    name = "vmm-pause-revoked"
    title = "VMM stops a guest without clock"

    def happen(self, scenario: Scenario) -> Program:
        kernel, everyone = WatchedKernel(scenario), tuple(range(scenario.vcpus))
        yield each(everyone, Wait, lambda cpu: Start(cpu, kernel.teardown))
        yield WaitAll(everyone)
        accepted = yield from self.stop(scenario)
        yield from enter_all(scenario)
        yield starting(everyone, lambda cpu: GuestCall(kernel.look, (accepted[cpu],)))
        yield WaitAll(everyone)
        yield starting(everyone, lambda cpu: kernel.online)
        yield WaitAll(everyone)
        yield from enter_all(scenario)
        yield starting(everyone, lambda cpu: GuestCall(kernel.look_again, (accepted[cpu],)))
