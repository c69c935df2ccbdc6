"""Asymmetric protocols, features and events: they treat vCPUs differently, and merging must not hide that."""

from workbench.clayout.layout import U32
from workbench.core.driver import host_side
from workbench.core.event_steps import AddMemslot, DeleteMemslot, HostCall, OnHost
from workbench.core.host_state import VM, area, register, registry
from workbench.core.kvm_registers import STEAL_TIME
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import Get, Load, Set, Store
from workbench.features.steal_time import StealTime
from workbench.lifecycle.event import AfterBoot, AtBoot, enter_all
from workbench.lifecycle.migrate import move
from workbench.protocols.per_feature import PerFeature


class RefusesOne(PerFeature):
    """The host refuses every registration of vCPU 1."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if cpu.index == 1:
            return FAULT
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


class WritesTwice(PerFeature):
    """vCPU 1's guest side writes its register twice."""

    def register(self, cpu, feature, gpa):
        answer = yield from super().register(cpu, feature, gpa)
        if cpu.index == 1:
            answer = yield from super().register(cpu, feature, gpa)
        return answer


class Numbers(PerFeature):
    """The host stores the index of the vCPU that registered last: a number that is not an address."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(registry(VM, "last"), cpu.index + 7)
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


class Frames(PerFeature):
    """The host stores frame numbers, which cannot be recognised as addresses."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(registry(cpu.index, "frame"), value >> 12)
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


class Halves(PerFeature):
    """The guest keeps the address of its area in memory in two halves."""

    def register(self, cpu, feature, gpa):
        yield Store(gpa + 32, gpa & 0xFFFF_FFFF, U32)
        yield Load(gpa + 32, U32)
        return (yield from super().register(cpu, feature, gpa))


class NotServed(PerFeature):
    """The protocol reports that no area of vCPU 1 is served."""

    def serving(self, entries, owner, feature, gpa):
        return None if owner == 1 else super().serving(entries, owner, feature, gpa)


class ForgetsOne(PerFeature):
    """A restore that loses vCPU 1's registers."""

    def restore(self, cpus, saved):
        yield from super().restore(cpus, tuple(item for item in saved if item[0] != 1))


def _vcpu(cpus, index):
    return next(cpu for cpu in cpus if cpu.index == index)


class FirstWins(PerFeature):
    """A restore that stops when one vCPU has an area; the order decides which one."""

    def restore(self, cpus, saved):
        for index, msr, value in saved:
            if (yield Get(register(VM, "restored"))) is None and value and msr == STEAL_TIME.msr:
                yield Set(register(VM, "restored"), True)
                yield from self.on_wrmsr(_vcpu(cpus, index), msr, value, host_initiated=True)


class SlowForOne(StealTime):
    """A payload that vCPU 1 gets twice."""

    name = "steal_time"

    def update(self, cpu, gpa, now):
        done = yield from super().update(cpu, gpa, now)
        if cpu == 1:
            done = yield from super().update(cpu, gpa, now)
        return done


class Placing(AtBoot):
    """The host places each vCPU's area in turn while all vCPUs run."""

    name, title = "placing", "areas placed in turn"

    def happen(self, scenario):
        yield OnHost(0, HostCall(places, (scenario,)))
        yield from super().happen(scenario)


def places(scenario):
    return host_side(_places(scenario))


def _places(scenario):
    feature = scenario.supported()[0]
    for cpu in scenario.cpus:
        yield Set(area(cpu.index, feature.name), scenario.addresses.gpa(scenario.addresses.area(0, cpu.index, feature)))
    return HANDLED


class Halved(AfterBoot):
    """The first memslot is added again with the memory of vCPU 0 but not of the others."""

    name, title = "halved", "less memory comes back"

    def happen(self, scenario):
        addresses = scenario.addresses
        yield DeleteMemslot(addresses.memslot(0))
        yield AddMemslot(addresses.memslot(0), 2 * addresses.block)
        yield from enter_all(scenario)


class Twice(AfterBoot):
    """Two migrations."""

    name, title = "twice", "migrated twice"

    def happen(self, scenario):
        yield from move(scenario)
        yield from move(scenario)
        yield from enter_all(scenario)
