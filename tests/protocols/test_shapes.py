"""Designs of other shapes than a register, each written once and run by every engine."""

import inspect
import shutil

import pytest

from tests.protocols.shapes.call_in_registers import CallInRegisters
from tests.protocols.shapes.call_with_struct import CallWithStruct
from tests.protocols.shapes.doorbell_batch import DoorbellBatch
from tests.protocols.shapes.host_chosen import HostChosen
from tests.protocols.shapes.overlay_page import GUEST_OS_ID, MSR, MessagePage, OverlayPage
from workbench.core.driver import guest_side
from workbench.core.scenario import Scenario, beliefs
from workbench.design import (
    HANDLED,
    REFUSED,
    VM,
    Get,
    IoRange,
    Set,
    Store,
    WorkbenchError,
    Wrmsr,
    area,
    register,
    registry,
)
from workbench.engines.kvm.probe import probe
from workbench.engines.simulate import simulate
from workbench.engines.simulate.engine import Simulation
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.crosscheck import Setting, crosscheck
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.on_kvm.runs import measure_on_kvm
from workbench.measure.variants import Variant, variant

PAGE = f"{inspect.getfile(MessagePage)}:MessagePage"
SHAPES = [CallInRegisters, CallWithStruct, HostChosen, OverlayPage, DoorbellBatch]
WANTED = {kind: (PAGE,) if kind is OverlayPage else ("steal_time",) for kind in SHAPES}
KVM = probe()


def features_of(kind):
    if issubclass(kind, OverlayPage):
        return (MessagePage(),)
    return tuple(feature for feature in FEATURES.values() if kind(()).supports(feature))


def scenario(kind, vcpus=4, **more):
    features = features_of(kind)
    return Scenario(kind(features), features, vcpus=vcpus, **more)


def run(kind, event, vcpus=4, **more):
    return simulate(scenario(kind, vcpus, **more), EVENTS[event])


def verdicts(kind, event, vcpus=2, features=("steal_time",)):
    chosen = tuple(f for f in features_of(kind) if issubclass(kind, OverlayPage) or f.name in features)
    found = explore_question(Question(Variant.of(kind), EVENTS[event], chosen, vcpus))
    return found, {finding.name for finding in found.result.findings}


# -- simulated -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cause", "boot", "kexec"),
    [
        (CallInRegisters, "hypercall", 17, 33),  # 4 areas of 4 vCPUs and the wall clock; 16 revocations
        (CallWithStruct, "hypercall", 17, 33),
        (HostChosen, "hypercall", 8, 8),  # nothing is revoked
        (OverlayPage, "wrmsr", 8, 12),  # each kernel first says who it is, on each CPU
        (DoorbellBatch, "mmio", 1, 17),  # one exit registers the areas of the VM
    ],
)
def test_exits_are_counted_by_cause(kind, cause, boot, kexec):
    for event, count in (("boot", boot), ("kexec", kexec)):
        found = run(kind, event)
        assert (found.counts[f"{cause}_exits"], found.counts["exits"]) == (count, count)
        assert {fate.value for fate in found.fates.values()} == {"registered"}


def test_one_exit_for_each_vcpu_is_enough_for_a_design_that_takes_a_vcpus_areas_at_once():
    kind = type("ByVcpu", (DoorbellBatch,), {"name": "by_vcpu", "batch": "vcpu"})
    assert run(kind, "boot").counts["mmio_exits"] == 4


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_runs(kind, event):
    found = run(kind, event)
    assert found.counts["kernel_exits"] + found.counts["user_exits"] == found.counts["exits"]


@pytest.mark.parametrize("kind", SHAPES)
def test_many_vcpus_at_once_are_like_one_by_one(kind):
    here = scenario(kind, 40)
    for event in ("boot", "kexec", "migrate"):
        together, alone = (simulate(here, EVENTS[event], lanes=lanes) for lanes in (True, False))
        assert together.counts == alone.counts
        assert together.fates == alone.fates
        assert together.machine.entries == alone.machine.entries


@pytest.mark.parametrize("kind", SHAPES)
def test_an_old_host_refuses_and_serves_nothing(kind):
    found = run(kind, "old-host")
    assert {fate.value for fate in found.fates.values()} == {"refused"}
    assert found.machine.entries == {}


def test_the_guest_believes_what_the_host_chose():
    here = scenario(HostChosen, 2)
    found = simulate(here, EVENTS["boot"])
    own = here.addresses.host_memory
    assert beliefs(found.machine.notes) == {
        (0, "kvmclock"): own(0) + 64, (1, "kvmclock"): own(1) + 64,
        (0, "steal_time"): own(0), (1, "steal_time"): own(1),
    }  # fmt: skip
    assert here.addresses.belongs_to_host(own(VM))
    assert not here.addresses.belongs_to_host(own(VM) - 1)


def test_the_hosts_own_memory_is_nobodys_to_give_away():
    for event in ("kexec-no-teardown", "cpu-unplug-no-teardown", "crash"):
        found = run(HostChosen, event)
        assert "stale" not in {fate.value for fate in found.fates.values()}, event
        assert found.strays == 0


def test_an_encrypted_guest_shares_nothing_for_the_hosts_memory():
    found = run(HostChosen, "encrypted-unshared")
    assert {fate.value for fate in found.fates.values()} == {"registered"}


def test_a_revocation_that_is_refused_leaves_the_belief():
    here = scenario(HostChosen, 1)
    simulation = Simulation(here)
    simulation.play(EVENTS["boot"].happen(here))
    cpu, feature = here.cpu(0), features_of(HostChosen)[0]
    before = beliefs(simulation.machine.notes)
    simulation.machine.run(0, guest_side(here.protocol, here.revoke(cpu, feature, 0)))
    assert beliefs(simulation.machine.notes) == before


class Silent(OverlayPage):
    """Its kernels do not say who they are."""

    name = "silent"

    def prepare(self, cpu):
        return
        yield


def test_a_kernel_that_does_not_say_who_it_is_is_refused():
    assert {fate.value for fate in run(Silent, "boot").fates.values()} == {"refused"}


class Permanent(CallInRegisters):
    """A vCPU's area can be registered once, and never be moved or revoked."""

    name = "permanent"

    def unregister(self, cpu, feature, gpa):
        return REFUSED
        yield

    def serve(self, index, feature, gpa):
        if (yield Get(registry(VM if feature.scope == "vm" else index, feature.name))) is not None:
            return -16
        return (yield from super().serve(index, feature, gpa))


@pytest.mark.parametrize("event", ["double-registration", "double-registration-moved", "double-registration-crossing"])
def test_a_design_that_rightly_refuses_a_second_registration_is_not_stale(event):
    assert {fate.value for fate in run(Permanent, event).fates.values()} == {"registered"}
    assert verdicts(Permanent, event, 1)[1] == set()


def test_another_vcpu_registers_and_both_agree():
    found = run(CallWithStruct, "registered-for-another", 2)
    assert found.counts["hypercall_exits"] == 4
    assert found.machine.entries[area(1, "steal_time")] == found.scenario.addresses.gpa(
        found.scenario.addresses.area(0, 1, FEATURES["steal_time"])
    )


@pytest.mark.parametrize("device", [IoRange(0xFF000, 0x2000), IoRange(0x10_0000, 8)])
def test_a_device_where_there_is_memory_is_refused(device):
    kind = type("InRam", (DoorbellBatch,), {"name": "in_ram", "mmio": (device,)})
    with pytest.raises(WorkbenchError, match="no access would reach it"):
        scenario(kind)


# -- the overlay -----------------------------------------------------------------------------------------


def test_what_lay_under_the_page_comes_back():
    here = scenario(OverlayPage, 1)
    simulation, page = Simulation(here), 0x2000
    memory = simulation.machine.memory

    def guest(*steps):
        def program():
            answers = []
            for step in steps:
                answers.append((yield step))
            return answers

        simulation.machine.run(0, guest_side(here.protocol, program()))

    guest(Wrmsr(GUEST_OS_ID, 1), Store(page + 8, b"the guest's"), Wrmsr(MSR, page | 1))
    assert memory.load(page + 8, 11) == bytes(11)
    guest(Store(page + 8, b"lost"), Wrmsr(MSR, 0))
    assert memory.load(page + 8, 11) == b"the guest's"


def test_a_page_that_is_no_ram_is_refused_and_the_old_one_stays_covered():
    here = scenario(OverlayPage, 1)
    simulation = Simulation(here)
    simulation.play(EVENTS["boot"].happen(here))
    before = dict(simulation.machine.entries)

    def program():
        return (yield Wrmsr(MSR, 0x7000_0000 | 1))

    assert simulation.machine.run(0, guest_side(here.protocol, program())).value == "fault"
    assert simulation.machine.entries == before


def test_the_new_host_has_no_page_until_the_register_is_restored():
    found = run(OverlayPage, "migrate-no-state")
    assert {fate.value for fate in found.fates.values()} == {"lost"}
    assert not found.machine.memory.uncover(found.scenario.addresses.gpa(found.scenario.addresses.units(0, 0)[0]))


# -- explored --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("event", ["boot", "migrate"])
def test_no_interleaving_breaks_them(kind, event):
    found, failing = verdicts(kind, event, 1 if kind is DoorbellBatch else 2)
    assert failing == set()
    assert found.result.limit is None


@pytest.mark.slow
def test_a_call_for_the_whole_vm_races_with_the_other_cpus_teardown():
    """vCPU 1 tears down before vCPU 0's call registers the areas of all; nobody revokes them then."""
    _, failing = verdicts(DoorbellBatch, "kexec")
    assert "stray-write" in failing
    assert verdicts(CallInRegisters, "kexec")[1] == set()


def test_the_hosts_choice_is_safe_where_the_guests_is_not():
    assert "stray-write" in verdicts(CallInRegisters, "kexec-no-teardown")[1]
    assert verdicts(HostChosen, "kexec-no-teardown")[1] == set()


def test_an_overlay_page_hides_the_memory_of_its_next_owner():
    assert "stray-write" in verdicts(OverlayPage, "kexec-no-teardown", 1)[1]


class Forgetful(OverlayPage):
    """A host that forgets to take its page away when the register is cleared."""

    name = "forgetful"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if msr == MSR and value == 0:
            yield Set(register(cpu.index, MSR), None)
            yield Set(area(cpu.index, "message_page"), None)
            return HANDLED
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


def test_a_page_that_is_left_over_the_next_owners_memory_is_seen():
    assert "stray-write" in verdicts(Forgetful, "kexec", 1)[1]
    assert verdicts(OverlayPage, "kexec", 1)[1] == set()
    assert "stale" in {fate.value for fate in run(Forgetful, "cpu-unplug").fates.values()}
    assert "stale" not in {fate.value for fate in run(OverlayPage, "cpu-unplug").fates.values()}


@pytest.mark.skipif(not KVM.available, reason=KVM.line)
def test_a_real_machine_sees_the_page_that_is_left():
    measured = measure_on_kvm(Variant.of(Forgetful), features_of(Forgetful), 2, EVENTS["cpu-unplug"])
    assert "stale" in measured.words["message_page"]


def test_registering_for_another_vcpu_is_safe():
    assert verdicts(CallWithStruct, "registered-for-another")[1] == set()


@pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")
@pytest.mark.parametrize("kind", SHAPES)
def test_spin_counts_the_same_states_and_verdicts(kind):
    settings = [Setting(event, 1, WANTED[kind]) for event in ("kexec", "migrate")]
    for compared in crosscheck([Variant.of(kind)], settings):
        assert compared.equal, compared.question.event


@pytest.mark.parametrize("kind", SHAPES)
def test_the_matrix_with_several_jobs_confirms_every_finding(kind):
    path = f"{inspect.getfile(kind)}:{kind.__name__}"
    events = [EVENTS["kexec-no-teardown"], EVENTS["migrate"]]
    cells = matrix([variant(path)], events, sizes=[Size(1, WANTED[kind])], jobs=2)
    stray = next(cell for cell in cells if (cell.event, cell.name) == ("kexec-no-teardown", "stray-write"))
    assert stray.verdict == ("HOLDS" if kind is HostChosen else "FAILS")
    assert {cell.verdict for cell in cells if cell.event == "migrate"} <= {"HOLDS", "NOT EXERCISED"}


# -- on real KVM -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not KVM.available, reason=KVM.line)
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("event", ["boot", "kexec", "migrate", "cpu-unplug"])
def test_a_real_machine_agrees(kind, event):
    chosen = features_of(kind)
    measured = measure_on_kvm(Variant.of(kind), chosen, 2, EVENTS[event])
    simulated = run(kind, event, 2)
    words = {(feature, word) for feature, found in measured.words.items() for word in found}
    assert words == {(feature, fate.value) for (_, feature), fate in simulated.fates.items()}
    if kind.hypercalls:
        assert measured.carried_calls == simulated.counts["hypercall_exits"] == measured.user_exits
    else:
        assert measured.carried_calls is None
        assert measured.user_exits == simulated.counts["exits"]
