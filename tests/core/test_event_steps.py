"""Each: turns in any order, and their sequence in an engine that runs a single schedule."""

import pytest

from workbench.checking.environment import event_program, program_name
from workbench.core.event_steps import Begin, Each, Enter, OnHost, Pause, Start, Stop, Wait, WaitAll, each, in_order
from workbench.core.slots import ProgramName
from workbench.errors import WorkbenchError


def idle(cpu):
    return
    yield


def begun(start):
    return Begin(start.cpu, program_name(start))


def steps():
    answer = yield Pause()
    assert answer == "paused"
    assert (yield each(range(3), Wait, Enter)) is None
    yield WaitAll((0, 2))
    yield each((), Enter)
    yield each((1,), lambda cpu: Start(cpu, idle), Stop)


def test_in_one_order_the_turns_follow_one_another():
    program = in_order(steps())
    assert next(program) == Pause()
    taken = [program.send("paused"), *program]
    assert taken == [
        *(step for cpu in range(3) for step in (Wait(cpu), Enter(cpu))),
        Wait(0),
        Wait(2),
        Start(1, idle),
        Stop(1),
    ]


def test_in_any_order_a_taken_step_is_not_offered_again():
    program = event_program(None, steps(), begun)
    next(program)
    left = program.send("paused")
    assert left.next_steps() == (Wait(0), Wait(1), Wait(2))
    left = program.send(Wait(1))
    assert left.next_steps() == (Wait(0), Enter(1), Wait(2))
    left = program.send(Enter(1))
    assert left == Each(((Wait(0), Enter(0)), (Wait(2), Enter(2))))
    program.send(Wait(0))
    assert program.send(Enter(0)) == Wait(2)  # no choice is left
    begin = Begin(1, ProgramName("idle", (), None, 1, 0))
    assert [program.send(None) for _ in range(4)] == [Enter(2), WaitAll((0, 2)), begin, Stop(1)]


@pytest.mark.parametrize(
    "wrong",
    [
        Each(((Pause(),), (Enter(1),))),
        Each(((OnHost(0, None),),)),
        Each(((Enter(0), Enter(1)),)),
        Each(((Enter(0),), (Enter(0),))),
        Each(((),)),
    ],
)
def test_anything_else_than_one_turn_for_each_vcpu_is_refused(wrong):
    def event():
        yield wrong

    for program in (in_order(event()), event_program(None, event(), begun)):
        with pytest.raises(WorkbenchError, match="a lifecycle event yielded Each"):
            next(program)
