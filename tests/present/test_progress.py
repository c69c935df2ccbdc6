"""Progress messages: what is said of how long the work will still take."""

from types import SimpleNamespace

from workbench.present.progress import PACE_AFTER, Pace, Progress


def told(*calls):
    """What is said at each call, given as (seconds, done, of)."""
    now = iter([at for at, _, _ in calls])
    pace = Pace(lambda: next(now))
    return [pace.left(done, of) for _, done, of in calls]


def test_nothing_is_said_before_the_pace_is_known():
    assert told((0, 0, 100), (PACE_AFTER / 2, 50, 100)) == ["", ""]


def test_the_estimate_is_the_rest_at_the_pace_so_far():
    assert told((0, 0, 100), (60, 10, 100))[-1] == ", about 9 min left at this pace"
    assert told((0, 0, 100), (60, 90, 100))[-1] == ", under 2 min left at this pace"
    assert told((0, 0, 100), (60, 100, 100))[-1] == ""


def test_what_was_kept_from_an_earlier_run_does_not_count():
    assert told((0, 900, 1000), (60, 910, 1000))[-1] == ", about 9 min left at this pace"


def test_the_pace_is_that_of_the_last_two_minutes():
    """The first 1,000 pieces were quick, the others take a second each."""
    calls = [(0, 0, 2000), (10, 1000, 2000), *((10 + 10 * n, 1000 + 10 * n, 2000) for n in range(1, 31))]
    assert told(*calls)[-1] == ", about 12 min left at this pace"


def test_a_search_is_told_with_what_it_is_about(capsys):
    say = Progress(patience=0).searches()
    task = SimpleNamespace(variant=SimpleNamespace(label="generic"), event=SimpleNamespace(name="boot"), size="1 vCPU")
    say(1, 2, task)
    assert capsys.readouterr().err == "workbench: 1 of 2: generic under boot, 1 vCPU\n"
