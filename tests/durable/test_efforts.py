"""What pieces of work will take, learned from those that are finished: the order of work, and how long is left.

The durations are recorded ones, of searches of the failure matrix; time here is that of a simulated pool.
"""

import heapq
import itertools
import json
from pathlib import Path

import pytest

from workbench.durable.efforts import Efforts
from workbench.durable.share import shared
from workbench.present.progress import KNOWN_AFTER, Left

RECORDED = json.loads(Path(__file__).with_name("search_seconds.json").read_text())["searches"]
#: On a machine that takes ten times as long.
SEARCHES = [(event, size, design, 10 * took) for design, found in RECORDED.items() for event, size, took in found]
#: The last search in the order of the matrix takes very long.
LONG = [*SEARCHES, ("hostile-endless", "1 vCPU", "xen_vcpu", 100.0)]


def run(searches, jobs, *, order=True):
    """Let ``jobs`` workers do the searches; return when they were done, and (time, seconds left) at each answer."""
    efforts, now, running, said = Efforts(), [0.0], [], []
    left = Left(efforts, lambda: now[0])
    efforts.expect({number: one[:3] for number, one in enumerate(searches)})
    following = efforts.longest_first(range(len(searches))) if order else iter(range(len(searches)))
    while True:
        for number in itertools.islice(following, jobs - len(running)):
            heapq.heappush(running, (now[0] + searches[number][-1], number))
        if not running:
            return now[0], said
        now[0], number = heapq.heappop(running)
        efforts.finished(number, searches[number][-1])
        said.append((now[0], left.seconds()))


@pytest.mark.parametrize(("jobs", "order"), [(1, False), (1, True), (2, True), (8, True)])
def test_what_is_said_to_be_left_is_right_within_a_factor_of_2(jobs, order):
    """From a twentieth of the time on, and until a tenth is left, when it is a matter of single searches."""
    ended, said = run(SEARCHES, jobs, order=order)
    within = [(now, left, ended - now) for now, left in said if left and ended / 20 < now < ended * 9 / 10]
    assert len(within) > 100
    assert [(now / ended, left / true) for now, left, true in within if not true / 2 < left < true * 2] == []


@pytest.mark.parametrize(("jobs", "order"), [(1, False), (1, True), (2, True), (8, True)])
def test_the_end_that_is_announced_does_not_jump(jobs, order):
    ended, said = run(SEARCHES, jobs, order=order)
    ends = [now + left for now, left in said if left is not None and now > ended / 20]
    assert max(abs(after - before) for before, after in itertools.pairwise(ends)) < ended / 10


def test_longest_first_leaves_nobody_without_work():
    jobs = 2
    ideal = sum(one[-1] for one in LONG) / jobs
    in_order, longest_first = (run(LONG, jobs, order=order)[0] for order in (False, True))
    assert in_order > 1.1 * ideal
    assert longest_first < 1.02 * ideal


def test_each_piece_comes_once_and_one_of_each_event_first():
    efforts = Efforts()
    efforts.expect({number: one[:3] for number, one in enumerate(SEARCHES)})
    order = list(efforts.longest_first(range(len(SEARCHES))))
    assert sorted(order) == list(range(len(SEARCHES)))
    events = {one[0] for one in SEARCHES}
    assert {SEARCHES[number][0] for number in order[: len(events)]} == events


def test_what_was_never_seen_takes_the_mean():
    efforts = Efforts()
    efforts.expect({0: ("a", "x"), 1: ("b", "y"), 2: ("b", "y")})
    assert efforts.left() is None
    efforts.finished(0, 3.0)
    assert efforts.left() == pytest.approx(6.0)


def test_it_is_told_in_minutes_and_not_before_it_is_known():
    now, efforts = [0.0], Efforts()
    efforts.expect(dict.fromkeys(range(100), ("a",)))
    left = Left(efforts, lambda: now[0])
    for number in range(10):
        efforts.finished(number, 12.0)  # two workers: ten pieces in a minute
    now[0] = KNOWN_AFTER / 2
    assert left.told() == ""
    now[0] = 60.0
    assert left.told() == ", about 9 min left"
    for number in range(10, 90):
        efforts.finished(number, 12.0)
    now[0] = 540.0
    assert left.told() == ", under 2 min left"
    for number in range(90, 100):
        efforts.finished(number, 12.0)
    assert left.told() == ""


def test_workers_tell_what_each_piece_took():
    efforts = Efforts()
    efforts.expect({number: (number,) for number in range(4)})
    found = dict(shared({number: 0.01 * number for number in range(4)}, _sleeping, [], 2, efforts))
    assert found == dict.fromkeys(range(4), "slept")
    assert 0.06 <= efforts.spent < 5
    assert efforts.left() == 0


def _sleeping():
    from contextlib import contextmanager
    from time import sleep

    @contextmanager
    def begin():
        yield None, lambda piece: (sleep(piece[1]), (piece[0], "slept"))[1]

    return begin()
