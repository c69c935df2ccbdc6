"""Lanes under random programs: a batch leaves the same state as vCPUs that run in turn."""

import operator

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.lane_protocols import Own
from tests.engines.lane_runs import FEATURES, state
from tests.engines.lane_values import BINARY
from workbench.clayout.layout import U8, U16, U32, U64
from workbench.core.host_state import Key
from workbench.core.outcome import HANDLED
from workbench.core.scenario import Scenario
from workbench.core.steps import Get, Load, Set, Store
from workbench.engines.simulate import simulate
from workbench.lifecycle import EVENTS

KINDS = [U8, U16, U32, U64]
picks = st.integers(0, 9)
offsets = st.sampled_from([0, 0, 1, 4, 8, 12, 4088, 4096, -4096, -8])
operations = st.one_of(
    st.tuples(st.just("compute"), st.sampled_from(BINARY[:14]), picks, picks),
    st.tuples(st.just("load"), st.sampled_from(KINDS), picks, offsets),
    st.tuples(st.just("store"), st.sampled_from(KINDS), picks, offsets, picks),
    st.tuples(st.just("get"), st.sampled_from(["a", "b", 3]), st.sampled_from([0, 0, 0, -1])),
    st.tuples(st.just("set"), st.sampled_from(["a", "b", 3]), picks, st.sampled_from([0, 0, 0, -1])),
    st.tuples(st.just("forget"), st.sampled_from(["a", "b", 3])),
    st.tuples(st.just("skip"), picks, st.sampled_from([0, 1, 7, 8, 0x103000])),
)


class Anything(Own):
    """Runs the operations of ``program`` on the written value, the vCPU's index, constants, and earlier results."""

    program = ()

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        held = [value, cpu.index, 1, 8, 0xFFF, ~0x3F, 1 << 32]
        skip = False
        for operation, *rest in self.program:
            if skip:
                skip = False
            elif operation == "skip":
                skip = held[rest[0] % len(held)] == rest[1]
            else:
                yield from self.perform(cpu, operation, rest, held)
        return HANDLED

    def perform(self, cpu, operation, rest, held):
        pick = [held[part % len(held)] if type(part) is int else part for part in rest]
        if operation == "compute":
            held.append(bounded(rest[0], pick[1], pick[2]))
        elif operation == "load":
            held.append((yield Load(pick[1] + rest[2], pick[0])) or 0)
        elif operation == "store":
            yield Store(pick[1] + rest[2], pick[3] & (1 << 8 * pick[0].size) - 1, pick[0])
        elif operation == "get":
            held.append((yield Get(Key("any", cpu.index + rest[1], rest[0]))) or 0)
        elif operation == "set":
            yield Set(Key("any", cpu.index + rest[2], rest[0]), (pick[1], cpu.index) if pick[1] else pick[1])
        else:
            yield Set(Key("any", cpu.index, rest[0]), None)


def bounded(operation, one, two):
    """Return the result of an operation, or 5 if it is no number or too large to shift."""
    if isinstance(one, tuple) or isinstance(two, tuple) or (operation is operator.lshift and two > 64):
        return 5
    value = operation(one, two)
    value = value[1] if isinstance(value, tuple) else value
    return value + 0 if -(1 << 70) < value < 1 << 70 else 5


def left_by(program, lanes_on):
    """Run ``program`` twice on each of 19 vCPUs; return the state, or the error that it met."""
    protocol = type("Anything", (Anything,), {"program": tuple(program)})(FEATURES[:1])
    scenario = Scenario(protocol, FEATURES[:1], vcpus=19)
    try:
        return state(simulate(scenario, EVENTS["double-registration"], lanes=lanes_on))
    except (ArithmeticError, ValueError, TypeError) as error:
        return type(error), str(error)


@settings(max_examples=100, deadline=None)
@given(st.lists(operations, min_size=1, max_size=7))
def test_random_programs_leave_the_same_state_with_lanes_as_without(program):
    assert left_by(program, True) == left_by(program, False)


def test_some_random_programs_do_run_at_once(batches):
    left_by([("store", U64, 0, 8, 1), ("load", U32, 0, 8), ("set", "a", 2, 0), ("get", "a", 0)], True)
    assert batches.turns[0], "otherwise the test above would prove nothing"
