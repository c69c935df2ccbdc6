"""Guests that read their registrations back, guests that take events, and hosts that hide a register in a migration."""

import pytest

from tests.protocols.bench import bench_of
from workbench.core.kvm_registers import ASYNC_PF_ACK, ASYNC_PF_EN, SYSTEM_TIME, SYSTEM_TIME_NEW
from workbench.core.outcome import ACCEPTED, REFUSED, Fate
from workbench.core.scenario import Scenario
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.cells import cells_of
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.variants import variant
from workbench.protocols.per_feature import PerFeature

ALL = choose()


def fates(name, event, vcpus=2):
    return simulate(Scenario(variant(name).protocol(ALL), ALL, vcpus=vcpus), EVENTS[event]).fates


def verdicts(kind, event, features, vcpus=1):
    """Explore a variation of KVM's protocol; return the verdict of each property."""
    asked = Question.of(kind if isinstance(kind, str) else variant("per_feature").of(kind), event, features, vcpus)
    return {cell.name: cell.verdict for cell in cells_of(explore_question(asked))}


def test_confirm_says_what_the_register_shows():
    bench = bench_of(PerFeature, vcpus=1)
    cpu, steal = bench.machine.cpus[0], choose(["steal_time"])[0]
    confirmed = lambda gpa: bench.guest(bench.protocol.confirm(cpu, steal, gpa))  # noqa: E731
    assert confirmed(0x3000) is REFUSED
    bench.guest(bench.protocol.register(cpu, steal, 0x3000))
    assert (confirmed(0x3000), confirmed(0x4000)) == (ACCEPTED, REFUSED)


def test_a_guest_that_looks_knows_what_was_refused():
    blind, careful = fates("per_feature", "hidden-features"), fates("per_feature", "read-back-hidden")
    assert {fate for (_, name), fate in blind.items() if name == "steal_time"} == {Fate.SILENT}
    assert {fate for (_, name), fate in careful.items() if name == "steal_time"} == {Fate.REFUSED}
    assert fates("generic", "read-back") == fates("generic", "boot"), "there is nothing to read"
    assert verdicts("per_feature", "hidden-features", ["steal_time"])["false-success"] == "FAILS"
    assert verdicts("per_feature", "read-back-hidden", ["steal_time"])["false-success"] != "FAILS"


class Deaf(PerFeature):
    """The host does not hear that the guest has taken an event."""

    name = "deaf"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        return (yield from super().on_wrmsr(cpu, msr, 0 if msr == ASYNC_PF_ACK.msr else value,
                                            host_initiated=host_initiated))  # fmt: skip


@pytest.mark.parametrize(("kind", "verdict"), [("per_feature", "HOLDS"), (Deaf, "FAILS")])
def test_an_event_that_waits_comes_after_the_acknowledgement(kind, verdict):
    assert verdicts(kind, "page-ready", ["async_pf"])["update-overdue"] == verdict


@pytest.mark.parametrize(("name", "left"), [("per_feature", Fate.LOST), ("per_feature+order-free-restore", None)])
def test_a_hidden_register_ends_the_restore_of_a_vcpu_that_uses_it(name, left):
    found = fates(name, "migrate-clock-hidden")
    assert {found[cpu, "kvmclock"] for cpu in (0, 1)} == {Fate.LOST}
    assert {found[cpu, "steal_time"] for cpu in (0, 1)} == {left or Fate.REGISTERED}


def test_what_is_hidden_and_not_used_ends_no_restore():
    features = choose(["steal_time"])
    run = simulate(Scenario(PerFeature(features), features), EVENTS["migrate-clock-hidden"])
    assert run.fates[0, "steal_time"] is Fate.REGISTERED
    hidden = SYSTEM_TIME.cpuid_bits | SYSTEM_TIME_NEW.cpuid_bits
    assert run.machine.cpus[0].enforce_cpuid
    assert not run.machine.cpus[0].cpuid & hidden


@pytest.mark.parametrize(("event", "left"), [("migrate-no-lapic", Fate.LOST), ("migrate-no-lapic-hidden", None)])
def test_a_host_without_a_lapic_ends_the_restore_of_every_vcpu_unless_it_hides_the_interrupt(event, left):
    """KVM refuses even 0 in ASYNC_PF_INT there; the area of steal time follows it in QEMU's list."""
    features = choose(["steal_time"])
    run = simulate(Scenario(PerFeature(features), features), EVENTS[event])
    assert run.fates[0, "steal_time"] is (left or Fate.REGISTERED)
    assert not run.machine.cpus[0].host.irqchip
    with_faults = fates("per_feature", event)
    assert {with_faults[cpu, name] for cpu in (0, 1) for name in ("async_pf", "steal_time")} == {Fate.LOST}
    assert fates("per_feature+order-free-restore", event)[0, "steal_time"] is Fate.REGISTERED


class Regardless(PerFeature):
    """The guest asks for delivery as a VM exit whether CPUID offers it or not."""

    name = "regardless"

    def register(self, cpu, feature, gpa):
        return (yield from super().register(cpu.but(cpuid=KVM_SUPPORTED), feature, gpa))


@pytest.mark.parametrize(("kind", "verdict"), [("per_feature", "HOLDS"), (Regardless, "FAILS")])
def test_a_bit_that_is_hidden_must_not_be_asked_for(kind, verdict):
    assert verdicts(kind, "no-vmexit-delivery", ["async_pf"])["false-success"] == verdict


@pytest.mark.parametrize(("event", "refused"), [("hidden-features", "HOLDS"), ("hidden-ignored", "NOT EXERCISED")])
def test_what_is_hidden_is_refused_unless_unknown_registers_are_ignored(event, refused):
    found = verdicts("per_feature", event, ["steal_time"])
    assert (found["false-success"], found["refused-but-remembered"]) == ("FAILS", refused)


class Ungated(PerFeature):
    """The host looks at no bit of CPUID on which a bit of ASYNC_PF_EN depends."""

    name = "ungated"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        seen = cpu.but(enforce_cpuid=False) if msr == ASYNC_PF_EN.msr else cpu
        return (yield from super().on_wrmsr(seen, msr, value, host_initiated=host_initiated))


@pytest.mark.parametrize(("kind", "verdict"), [("per_feature", "HOLDS"), (Ungated, "FAILS")])
def test_bits_that_cpuid_hides_are_refused_to_a_hostile_guest(kind, verdict):
    assert verdicts(kind, "hostile-hidden-bits", ["async_pf"])["unknown-to-guest"] == verdict
