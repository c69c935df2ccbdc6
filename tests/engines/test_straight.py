"""Host programs that run as plain functions do what they do step by step: the same answers, the same bytes."""

import pytest

from workbench.core.host_state import registry
from workbench.core.replay_target import MachineSpec
from workbench.core.steps import KERNEL, USER, Get, Set, ToUser
from workbench.engines.simulate.replay_target import SimulatedTarget
from workbench.engines.simulate.straight import Straight
from workbench.errors import AuthorError
from workbench.features import choose
from workbench.fuzz.generate import sequence
from workbench.fuzz.runners import simulate
from workbench.protocols import PROTOCOLS
from workbench.protocols.per_feature import PerFeature

FEATURES = tuple(one for one in choose() if not one.brings_register)


def target(straight, protocol=PerFeature):
    return lambda spec: SimulatedTarget(spec, protocol(FEATURES), log_dirty=True, straight=straight)


@pytest.mark.parametrize("number", range(12))
def test_a_fuzzed_sequence_has_the_same_answers(number):
    operations = sequence(11, number, 200).operations
    assert simulate(target(True), operations) == simulate(target(False), operations)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_shipped_design_has_the_same_answers(name):
    operations = sequence(12, 0, 120).operations
    assert simulate(target(True, PROTOCOLS[name]), operations) == simulate(target(False, PROTOCOLS[name]), operations)


def test_the_shipped_programs_of_an_entry_are_no_generators():
    machine = target(True)(MachineSpec(1))
    machine.add_ram(0, 0x4000)
    machine.wrmsr(0, 0x4B564D03, 0x1001)
    machine.run(0)
    driven = [program for program, function in machine._straight.of.items() if hasattr(function, "func")]
    assert machine._straight.of
    assert not driven


class Authors(PerFeature):
    """An author's design, whose entry yields what it must not."""

    def on_entry(self, cpu):
        yield from super().on_entry(cpu)
        yield "nothing"


class Endless(PerFeature):
    def on_entry(self, cpu):
        while True:
            yield Get(registry(0, "x"))


def test_a_program_of_an_author_is_driven_under_all_checks():
    with pytest.raises(AuthorError, match=r"test_straight\.py:\d+: Authors\.on_entry: .*which is not a step"):
        target(True, Authors)(MachineSpec(1)).run(0)
    with pytest.raises(AuthorError, match="no end after"):
        target(True, Endless)(MachineSpec(1)).run(0)


def test_after_to_user_the_steps_are_the_vmms():
    seen = []

    def handler(cpu):
        yield Set(registry(0, "x"), 1)
        yield ToUser("why")
        yield Set(registry(0, "x"), 2)

    machine = target(True)(MachineSpec(1)).machine
    straight = Straight(machine)
    straight.do, do = (lambda step, side=None: (do(step, side), seen.append((type(step), straight._side)))), straight.do
    straight.run(0, handler, 0)
    assert [side for kind, side in seen if kind is Set] == [KERNEL, USER]
