"""Memory sent in rounds: the property compares what arrives, and finds what no log shows, under every engine."""

import pytest

from tests.explore.engines import ENGINES
from tests.planted import unlogged
from workbench.checking.failures import FAILURES
from workbench.core.event_steps import NewHost, Resume, SendDirty, SendMemory
from workbench.core.memory import GuestMemory
from workbench.core.scenario import Scenario
from workbench.core.sent_memory import SentMemory
from workbench.core.steps import GUEST, KERNEL, USER
from workbench.engines.explore import FAILS, HOLDS, NOT_EXERCISED
from workbench.engines.explore.vm.explore import explore_machine
from workbench.engines.simulate import simulate
from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.lifecycle.event import AfterBoot
from workbench.measure.comparison.runs import measured
from workbench.measure.exploration.crosscheck import compared
from workbench.measure.exploration.explore import Question, confirm, explore_question, machine_of
from workbench.measure.variants import Variant, features_of, variant, variants
from workbench.protocols.null import Null

MISSED = FAILURES["F28"]
STEAL, CLOCK, WATCHDOG = (FEATURES["steal_time"],), (FEATURES["kvmclock"],), (FEATURES["watchdog"],)
ROUNDS = ("migrate-dirty-log", "migrate-kvm-log", "migrate-log-first")


def explored(kind, event, features):
    design = variant(kind) if isinstance(kind, str) else Variant.of(kind, ())
    return explore_question(Question(design, EVENTS[event], features), (MISSED,))


@pytest.mark.parametrize("event", ROUNDS)
@pytest.mark.parametrize("features", [STEAL, CLOCK])
@pytest.mark.parametrize("kind", ["per_feature", "generic+carry-registry", unlogged.MarksAfter])
def test_what_is_logged_arrives(kind, features, event):
    assert explored(kind, event, features).result.verdicts["F28"] == HOLDS


def test_a_migration_that_sends_all_at_the_stop_is_not_about_it():
    assert explored("per_feature", "migrate", STEAL).result.verdicts["F28"] == NOT_EXERCISED


@pytest.mark.parametrize(
    ("kind", "event", "features", "what"),
    [
        (unlogged.Forgets, "migrate-dirty-log", STEAL, "steal_time"),
        (unlogged.Forgets, "migrate-dirty-log", CLOCK, "kvmclock"),
        (unlogged.MarksFirst, "migrate-dirty-log", CLOCK, "kvmclock"),  # steal time is written, and so sent, again
        (unlogged.PreemptedAtSave, "migrate-log-first", STEAL, "steal_time"),
        ("generic+pending-result", "migrate-kvm-log", WATCHDOG, "descriptor"),
    ],
)
def test_what_no_log_shows_is_found_and_confirmed_on_bytes(kind, event, features, what):
    found = explored(kind, event, features)
    assert found.result.verdicts["F28"] == FAILS
    turns = [row.turn for row in found.trace(MISSED)]
    assert [one.what for one in MISSED.violations(confirm(found.question, turns))] == [what]
    assert MISSED.holds(confirm(found.question, turns[:-1]))


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (unlogged.PreemptedAtSave, "migrate-dirty-log"),  # the last log is read after the registers
        ("generic+pending-result", "migrate-dirty-log"),  # the VMM has a log of its own
    ],
)
def test_the_same_design_holds_under_a_vmm_that_reads_all_logs_last(kind, event):
    features = STEAL if kind is unlogged.PreemptedAtSave else WATCHDOG
    assert explored(kind, event, features).result.verdicts["F28"] == HOLDS


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [unlogged.Forgets, unlogged.MarksAfter])
def test_every_search_engine_finds_the_same(kind, engine):
    expected = explored(kind, "migrate-dirty-log", STEAL)
    found = explore_machine(machine_of(expected.question, (MISSED,)), tables=engine)
    assert (found.verdicts, found.states) == (expected.result.verdicts, expected.result.states)


@pytest.mark.parametrize("kind", [unlogged.Forgets, pytest.param(unlogged.MarksAfter, marks=pytest.mark.slow)])
def test_symmetry_changes_no_verdict(kind):
    question = Question(Variant.of(kind, ()), EVENTS["migrate-log-first"], STEAL, 2)
    whole, merged = (explore_question(question, (MISSED,), symmetry=merges) for merges in (False, True))
    assert merged.result.verdicts == whole.result.verdicts
    assert merged.result.states <= whole.result.states


@pytest.mark.spin
@pytest.mark.parametrize("kind", [unlogged.Forgets, unlogged.MarksAfter, unlogged.MarksFirst])
def test_spin_says_the_same(kind):
    found = compared(Question(Variant.of(kind, ()), EVENTS["migrate-dirty-log"], STEAL))
    assert found.equal, found.opinion


@pytest.mark.parametrize(
    ("kind", "event", "lost"),
    [
        (unlogged.Forgets, "migrate-dirty-log", ("steal_time",)),
        (unlogged.MarksAfter, "migrate-dirty-log", ()),
        (unlogged.PreemptedAtSave, "migrate-log-first", ("steal_time",)),
        (unlogged.PreemptedAtSave, "migrate-dirty-log", ()),
    ],
)
@pytest.mark.parametrize("vcpus", [1, 9])
@pytest.mark.parametrize("lanes", [False, True])
def test_one_schedule_shows_the_lost_bytes(kind, event, lost, vcpus, lanes):
    run = simulate(Scenario(kind(STEAL), STEAL, vcpus=vcpus), EVENTS[event], lanes=lanes)
    assert run.lost_in == lost
    assert bool(run.lost_bytes) is bool(lost)


# -- the memory itself ---------------------------------------------------------------------------------------


@pytest.fixture
def memory():
    found = GuestMemory()
    found.add(0, 0x10_0000)
    return found


def test_a_page_arrives_as_it_was_sent_last(memory):
    memory.poke(0x1000, b"old", KERNEL)
    sent = SentMemory(memory, own_log=True)
    memory.poke(0x1000, b"new", KERNEL)
    memory.poke(0x2000, b"vmm", USER)
    sent.send_dirty(last=False)
    memory.poke(0x1000, b"xyz", GUEST)
    sent.send_dirty(last=True)
    assert sent.arrive() == []
    assert memory.peek(0x1000, 3) == b"xyz"
    assert memory.peek(0x2000, 3) == b"vmm"


@pytest.mark.parametrize(
    ("side", "own_log", "logged", "lost"),
    [
        (KERNEL, True, True, False),
        (KERNEL, False, True, False),
        (KERNEL, True, False, True),
        (USER, True, True, False),
        (USER, False, True, True),
        (USER, True, False, True),
    ],
)
def test_which_log_shows_a_write(memory, side, own_log, logged, lost):
    memory.poke(0x1FFE, b"old", GUEST)
    sent = SentMemory(memory, own_log=own_log)
    memory.poke(0x1FFE, b"omd", side, logged=logged)
    sent.send_dirty(last=True)
    assert sent.arrive() == ([0x1FFF] if lost else [])
    assert memory.peek(0x1FFE, 3) == (b"old" if lost else b"omd")


def test_a_write_after_the_last_log_is_lost_and_one_of_the_same_bytes_is_not(memory):
    memory.poke(0x1000, b"a", GUEST)
    sent = SentMemory(memory, own_log=True)
    sent.send_dirty(last=True)
    memory.poke(0x1000, b"a", KERNEL)
    memory.poke(0x1001, b"b", KERNEL)
    assert sent.arrive() == [0x1001]


def test_pages_of_the_host_over_pages_of_the_guest_are_not_sent(memory):
    memory.poke(0x1000, b"guest", GUEST)
    memory.cover(0x1000, KERNEL)
    memory.poke(0x1000, b"host!", KERNEL)
    sent = SentMemory(memory, own_log=True)
    sent.send_dirty(last=True)
    memory.uncover_all()
    assert sent.arrive() == []
    assert memory.peek(0x1000, 5) == b"guest"


# -- mistakes of an event's author -----------------------------------------------------------------------------


def happening(*steps):
    class Wrong(AfterBoot):
        name, title = "wrong", "wrong"

        def happen(self, scenario):
            yield from steps

    return Wrong()


WRONG = [
    ((SendDirty(),), "yield SendMemory"),
    ((SendMemory(), SendMemory()), "already being sent"),
    ((SendMemory(), NewHost()), r"SendDirty\(last=True\)"),
    ((SendMemory(), SendDirty(last=True), SendDirty()), "the last log has been read"),
]


@pytest.mark.parametrize(("steps", "said"), WRONG)
def test_rounds_in_a_wrong_order_are_told(steps, said):
    scenario = Scenario(Null(()), ())
    with pytest.raises(WorkbenchError, match=said):
        simulate(scenario, happening(*steps))
    with pytest.raises(WorkbenchError, match=said):
        explore_question(Question(variant("null"), happening(*steps), STEAL), (MISSED,))


def test_a_machine_can_move_twice():
    rounds = (SendMemory(), SendDirty(last=True), NewHost(), Resume())
    again = happening(*rounds, *rounds)
    assert simulate(Scenario(Null(STEAL), STEAL), again).lost_bytes == 0


# -- as a metric ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "event", "pages"),
    [
        (unlogged.Forgets, "migrate-dirty-log", 3),
        (unlogged.Forgets, "migrate", 0),
        (unlogged.MarksAfter, "migrate-dirty-log", 0),
        (unlogged.PreemptedAtSave, "migrate-log-first", 3),
        (unlogged.PreemptedAtSave, "migrate-dirty-log", 0),
    ],
)
def test_a_metric_counts_what_the_destination_misses(kind, event, pages):
    """One page for each vCPU; an event that sends no memory in rounds has 0."""
    found = measured(Variant.of(kind, ()), STEAL, 3, EVENTS[event]).missed
    assert found.pages == pages
    assert bool(found.bytes) is bool(pages)
    assert found.bytes >= found.pages


@pytest.mark.parametrize("event", ["migrate-dirty-log", "migrate-kvm-log", "migrate-log-first"])
@pytest.mark.parametrize("design", [one.label for one in variants(["all"])])
def test_no_shipped_design_misses_a_page_under_a_vmm_with_a_log_of_its_own(design, event):
    one = variant(design)
    missed = measured(one, features_of(one, None), 2, EVENTS[event]).missed
    if event != "migrate-kvm-log":
        assert missed == (0, 0)
