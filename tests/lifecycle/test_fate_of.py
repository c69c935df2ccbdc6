"""The fate for each combination of what the guest believes and what the host does."""

import pytest

from workbench.core.event_steps import GuestCall, Start
from workbench.core.host_state import VM, register
from workbench.core.outcome import ACCEPTED, REFUSED, Fate
from workbench.core.scenario import Evidence, Scenario, believes, fate_of
from workbench.core.steps import Rdmsr
from workbench.core.vcpu import Host
from workbench.engines.simulate import Simulation
from workbench.features import FEATURES
from workbench.protocols import Generic, PerFeature

HERE, THERE = 0x1000, 0x2000


@pytest.mark.parametrize(
    ("believed", "live", "arrives", "was_live", "word"),
    [
        (HERE, HERE, True, True, Fate.REGISTERED),
        (HERE, HERE, False, True, Fate.SILENT),  # the memory went, the host still holds the address
        (HERE, THERE, True, True, Fate.STALE),  # the guest moved, the host goes on at the old place
        (HERE, THERE, False, True, Fate.SILENT),
        (HERE, None, False, True, Fate.LOST),
        (HERE, None, False, False, Fate.SILENT),
        (None, HERE, True, True, Fate.STALE),
        (None, None, False, True, Fate.RELEASED),
    ],
)
def test_word_of_belief_and_service(believed, live, arrives, was_live, word):
    evidence = Evidence(True, ACCEPTED, believed, live, arrives, was_live, strays=False)
    assert fate_of(evidence) is word
    assert fate_of(evidence._replace(strays=True)) is Fate.STALE
    assert fate_of(evidence._replace(supported=False)) is Fate.UNSUPPORTED


def test_a_refusal_is_refused_only_while_the_host_has_nothing():
    refused = Evidence(True, REFUSED, None, None, False, False, strays=False)
    assert fate_of(refused) is Fate.REFUSED
    assert fate_of(refused._replace(live=HERE, arrives=True)) is Fate.STALE


def test_the_vmm_keeps_the_value_of_a_register_it_serves():
    """KVM_CAP_X86_USER_SPACE_MSR: a read returns the written value, and each access is one user exit."""
    msr = 0x4B56_4D08
    features = (FEATURES["migration_control"],)
    scenario = Scenario(PerFeature(features), features, host=Host(user_msrs=frozenset({msr})))
    simulation = Simulation(scenario)
    seen = []

    def program(cpu):
        seen.append((yield Rdmsr(msr)))
        yield from scenario.protocol.register(cpu, features[0], HERE)
        seen.append((yield Rdmsr(msr)))

    simulation.play(iter_of(Start(0, GuestCall(program))))
    assert seen == [0, 1]
    assert simulation.machine.entries[register(VM, msr)] == 1
    assert simulation.machine.counts["user_exits"] == 3
    assert simulation.machine.counts["kernel_exits"] == 0


def iter_of(*steps):
    """Return a lifecycle program of these steps."""
    yield from steps


def test_revoking_poll_control_lets_the_host_poll_again():
    """POLL_CONTROL is 1 after creation; arch_haltpoll_disable writes 1, not 0."""
    poll = FEATURES["poll_control"]
    scenario = Scenario(PerFeature((poll,)), (poll,))
    simulation = Simulation(scenario)

    def program(cpu, revoke):
        yield from scenario.enrol(cpu, poll, 0)
        if revoke:
            yield from scenario.revoke(cpu, poll, 0)

    simulation.play(iter_of(Start(0, GuestCall(program, (False,)))))
    assert simulation.fates()[0, "poll_control"] is Fate.REGISTERED
    simulation.play(iter_of(Start(0, GuestCall(program, (True,)))))
    assert simulation.fates()[0, "poll_control"] is Fate.RELEASED


def test_a_refused_guest_keeps_its_earlier_belief():
    """A refusal changes nothing: the earlier registration stays, and the guest still believes it."""
    clock = FEATURES["kvmclock"]
    scenario = Scenario(Generic((clock,)), (clock,))
    simulation = Simulation(scenario)
    answers = []

    def program(cpu, gpa):
        answers.append((yield from scenario.enrol(cpu, clock, 0, gpa)))

    simulation.play(iter_of(Start(0, GuestCall(program, (HERE,))), Start(0, GuestCall(program, (1 << 50,)))))
    assert answers == [ACCEPTED, REFUSED]
    assert simulation.machine.notes[believes(0, "kvmclock")] == HERE
    assert simulation.fates() == {(0, "kvmclock"): Fate.REGISTERED}
