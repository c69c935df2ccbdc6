"""Protocols and lifecycle events on this host's KVM: contents of guest memory, counts of exits, migrated state."""

import threading

import pytest

from workbench.core.contracts import Protocol
from workbench.core.event_steps import NewHost
from workbench.core.host_state import VM, area
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, Fate
from workbench.core.scenario import Scenario
from workbench.core.steps import Backed, Set, Wrmsr
from workbench.engines.kvm.engine import run_on_kvm
from workbench.engines.kvm.machine import KvmMachine, NotRunError
from workbench.engines.kvm.migration import memslots_of
from workbench.engines.simulate import simulate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle.boot import Boot
from workbench.lifecycle.kexec import KexecWithoutTeardown
from workbench.lifecycle.linux import LinuxKernel
from workbench.measure.variants import variant
from workbench.protocols import PROTOCOLS
from workbench.protocols.generic import Generic
from workbench.protocols.per_feature import PerFeature

pytestmark = pytest.mark.kvm

ALL = choose()
BOOT = EVENTS["boot"]


def scenario_of(name, features=ALL, vcpus=4, **changes):
    return Scenario(variant(name).protocol(tuple(features)), tuple(features), vcpus=vcpus, **changes)


def run(name, event="boot", **changes):
    return run_on_kvm(scenario_of(name, **changes), EVENTS[event])


def seen(found):
    """Return {feature: areas} of the payloads that were seen."""
    return {
        name: areas
        for name in FEATURES
        if (areas := sum(there for (_, feature), there in found.payloads.items() if feature == name))
    }


# -- boot ------------------------------------------------------------------------------------------------


def test_kvm_itself_writes_the_payloads_of_four_vcpus():
    found = run("per_feature")
    assert seen(found) == {"kvmclock": 4, "wall_clock": 1, "async_pf": 4, "steal_time": 4}
    assert found.counts["user_exits"] == 0
    assert found.counts["guest_wrmsrs"] == 21  # five registers a CPU, and the wall clock
    assert {word for (_, name), word in found.fates.items() if name != "watchdog"} == {
        Fate.REGISTERED,
        Fate.RELEASED,  # poll and migration control are not set at boot
    }


def test_the_vmm_writes_the_payloads_of_the_generic_design():
    found = run("generic")
    assert seen(found) == {"kvmclock": 4, "wall_clock": 1, "steal_time": 4}
    assert found.counts["user_exits"] == found.counts["msr_exits"] == found.counts["guest_wrmsrs"] == 18
    assert found.counts["mmio_exits"] == 0


@pytest.mark.parametrize(
    "name", [name for name, feature in FEATURES.items() if feature.linux_boot is not None]
)
def test_one_deflected_registration_costs_one_user_exit_and_one_of_kvms_none(name):
    assert run("generic", features=choose([name]), vcpus=1).counts["user_exits"] == 1
    if name != "watchdog":
        assert run("per_feature", features=choose([name]), vcpus=1).counts["user_exits"] == 0


@pytest.mark.parametrize("vcpus", [1, 2, 8])
def test_user_exits_grow_with_the_vcpus_under_the_generic_design_alone(vcpus):
    assert run("generic", vcpus=vcpus).counts["user_exits"] == 4 * vcpus + 2
    assert run("per_feature", vcpus=vcpus).counts["user_exits"] == 0


def test_deflected_registers_never_reach_kvm():
    """0x4b564d03 is KVM's steal time: under the generic design it must stay as it was."""
    with KvmMachine(scenario_of("generic")) as machine:
        machine.play(BOOT.happen(machine.scenario))
        for cpu in range(4):
            assert machine.guest.call(
                cpu, lambda cpu=cpu: machine.guest.vcpu(cpu).get_msrs([0x4B564D03])
            ) == [0]


def test_programs_of_several_vcpus_are_under_way_at_the_same_time():
    """Neither CPU's program continues before the other's has begun: run one after the other, they would fail."""
    together = threading.Barrier(2, timeout=5)

    class Meeting(Boot):
        name = "meeting"

        def coming_up(self, scenario, cpu):
            boots = super().coming_up(scenario, cpu)

            def program(record):
                together.wait()
                yield from boots(record)

            return program

    assert run_on_kvm(scenario_of("generic", vcpus=2), Meeting()).counts["user_exits"] == 10


def test_one_call_revokes_what_other_vcpus_have_registered():
    """After a crash on a real KVM: the stopped CPUs' areas are released, for fewer exits than one CPU's own."""
    each, one = (run(name, "crash") for name in ("generic", "generic+revoke-vm+quiesce"))
    stopped = [(cpu, name) for cpu in (1, 2, 3) for name in ("kvmclock", "async_pf", "pv_eoi", "steal_time")]
    assert {each.fates[key] for key in stopped} == {Fate.STALE}
    assert {one.fates[key] for key in stopped} == {Fate.RELEASED}
    assert one.counts["user_exits"] == each.counts["user_exits"] - 2
    assert one.fates == simulate(scenario_of("generic+revoke-vm+quiesce"), EVENTS["crash"]).fates


def test_two_vcpus_that_revoke_for_all_at_the_same_time_come_to_an_end():
    together = threading.Barrier(2, timeout=5)

    class Both(Boot):
        name = "both"

        def coming_up(self, scenario, cpu):
            kernel = LinuxKernel(scenario)

            def program(record):
                yield from kernel.boot(record)
                together.wait()
                yield from kernel.revoke_everything(record)

            return program

    found = run_on_kvm(scenario_of("generic+revoke-vm+quiesce", vcpus=2), Both())
    assert found.counts["user_exits"] == 10 + 2
    assert {found.fates[cpu, "steal_time"] for cpu in (0, 1)} == {Fate.LOST}, "the guest was not asked"


# -- wrong hosts are detected ------------------------------------------------------------------------------


class Forgetful(PerFeature):
    """A model of KVM that is wrong in one point: INIT leaves the registers as they are."""

    name = "forgetful"
    native = PerFeature.native

    def on_init(self, cpu):
        return
        yield


class Deaf(Generic):
    """A host side that returns success and stores nothing."""

    name = "deaf"

    def _apply(self, cpu, descriptor):
        return 0
        yield


def words(found):
    return {key: word.value for key, word in found.fates.items()}


def test_a_model_that_is_wrong_about_kvm_is_found_out():
    event = EVENTS["init-no-reregister"]
    scenario = Scenario(Forgetful(ALL), ALL, vcpus=2)
    simulated, measured = words(simulate(scenario, event)), words(run_on_kvm(scenario, event))
    assert {key for key in simulated if simulated[key] != measured[key]} == {
        (1, name) for name in ("kvmclock", "async_pf", "pv_eoi", "steal_time")
    }


def test_a_handler_that_keeps_nothing_is_silent_on_both():
    scenario = Scenario(Deaf(ALL), ALL, vcpus=2)
    found = run_on_kvm(scenario, BOOT)
    assert found.fates == simulate(scenario, BOOT).fates
    assert set(found.fates.values()) == {Fate.SILENT, Fate.RELEASED}
    assert not any(found.payloads.values())


def test_strays_are_seen_as_bytes_that_change():
    """Without event features the danger is in writes alone: steal time and kvmclock of the dead kernel."""
    features = choose(["kvmclock", "steal_time"])
    scenario = Scenario(PerFeature(features), features, vcpus=2)
    found = run_on_kvm(scenario, KexecWithoutTeardown())
    assert found.strayed == {(cpu, name) for cpu in range(2) for name in ("kvmclock", "steal_time")}


def test_a_variation_of_kvms_protocol_is_served_by_its_own_handlers():
    class Variation(PerFeature):
        name = "variation"

    found = run_on_kvm(Scenario(Variation(ALL), ALL, vcpus=2), BOOT)
    assert found.counts["user_exits"] == found.counts["guest_wrmsrs"] == 11
    assert found.fates == run_on_kvm(Scenario(PerFeature(ALL), ALL, vcpus=2), BOOT).fates


class Plain(Protocol):
    """A minimal protocol: a register of its own, and the effect of a write to it."""

    name = "plain"
    msrs = frozenset({0x4B564D21})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        outcome = yield Wrmsr(0x4B564D21, gpa)
        return REFUSED if outcome is FAULT else ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if not (yield Backed(value, 64)):
            return FAULT
        yield Set(area(cpu.index, "steal_time"), value)
        return HANDLED


def test_a_protocol_that_only_says_which_registers_it_claims_works():
    scenario = Scenario(Plain(ALL), ALL, vcpus=2)
    found = run_on_kvm(scenario, BOOT)
    assert seen(found) == {"steal_time": 2}
    assert found.counts["user_exits"] == 2
    assert found.fates == simulate(scenario, BOOT).fates
    refused = run_on_kvm(scenario, EVENTS["hostile-bad-base"])
    assert refused.fates[0, "steal_time"] is Fate.REFUSED


# -- migration ---------------------------------------------------------------------------------------------

SHARED = [(cpu, name) for cpu in range(4) for name in ("kvmclock", "async_pf", "pv_eoi", "steal_time")]


@pytest.mark.parametrize(
    ("name", "event", "word"),
    [
        ("per_feature", "migrate", "registered"),
        ("per_feature", "migrate-no-state", "lost"),
        ("per_feature", "migrate-old-host", "lost"),
        ("generic", "migrate", "lost"),
        ("generic", "migrate-no-state", "lost"),
        ("generic+carry-registry", "migrate", "registered"),
        ("generic+carry-registry", "migrate-no-state", "lost"),
        ("generic+carry-registry", "migrate-old-host", "lost"),
    ],
)
def test_what_a_migration_between_two_vms_leaves(name, event, word):
    found = run(name, event)
    assert {found.fates[key].value for key in [*SHARED, (VM, "wall_clock")]} == {word}
    assert found.fates == simulate(scenario_of(name), EVENTS[event]).fates


@pytest.mark.parametrize("name", ["generic", "generic+carry-registry", "per_feature"])
def test_memory_is_copied_in_rounds_and_arrives_whole(name):
    late = 0x5000  # written by the VMM when all vCPUs have stopped: KVM's dirty log does not show it
    with KvmMachine(scenario_of(name)) as machine:
        machine.play(EVENTS["migrate"].setup(machine.scenario))
        strike = EVENTS["migrate"].happen(machine.scenario)
        answer = None
        while type(step := strike.send(answer)) is not NewHost:
            answer = machine.take(step)
        source = machine.guest
        source.memory.write(late, b"late")
        content = {slot.gpa: source.memory.read(slot.gpa, slot.size) for slot in memslots_of(source)}
        machine.take(step)
        assert machine.guest is not source
        assert {gpa: machine.guest.memory.read(gpa, len(data)) for gpa, data in content.items()} == content
        assert machine.guest.memory.read(late, 4) == b"late"
        everything, dirty, last = machine.rounds
        assert everything == sum(map(len, content.values())) // PAGE_SIZE
        assert 1 <= dirty < everything
        assert last == 1


def test_registers_that_user_space_serves_are_in_no_list_of_kvms():
    found = run("generic", "migrate")
    assert [each.refused for each in found.loaded] == [()] * 4
    with KvmMachine(scenario_of("generic")) as machine:
        machine.play(EVENTS["migrate"].setup(machine.scenario))
        machine.play(EVENTS["migrate"].happen(machine.scenario))
        assert machine.guest.call(0, lambda: machine.guest.vcpu(0).get_msrs([0x4B564D03])) == [0]


# -- events that cannot be run are refused with a reason -------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "event", "reason"),
    [
        ("generic", "encrypted", "neither SEV nor TDX"),
        ("generic", "allow-migration", "neither SEV nor TDX"),
        ("per_feature", "ignore-msrs", "parameter of the whole host"),
        ("per_feature+commit-after-check", "boot", "commit-after-check changes the host side"),
    ],
)
def test_reasons(name, event, reason):
    with pytest.raises(NotRunError, match=reason):
        run(name, event)


def test_registers_that_no_filter_hands_over():
    class Apic(PROTOCOLS["null"]):
        name = "apic"
        msrs = frozenset({0x83F})

    with pytest.raises(NotRunError, match="x2APIC"):
        run_on_kvm(Scenario(Apic(ALL), ALL), BOOT)


def test_nothing_is_left_when_a_guest_program_breaks_off():
    class Broken(PROTOCOLS["null"]):
        name = "broken"

        def register(self, cpu, feature, gpa):
            raise LookupError("no such thing")
            yield

    with pytest.raises(LookupError, match="no such thing"):
        run_on_kvm(Scenario(Broken(ALL), ALL, vcpus=3), BOOT)
