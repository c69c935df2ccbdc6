"""A third protocol, in one file outside the package, passes the same tests as the protocols of the package.

The tests for every protocol: it runs through every event, two runs are equal, it keeps no state in Python
attributes, its answers are those of the contract, and it survives any value that a guest can write.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.contracts import StateEntry
from workbench.core.driver import guest_side
from workbench.core.host_state import VM, Key
from workbench.core.machine import Machine
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, Fate
from workbench.core.scenario import Scenario
from workbench.core.vcpu import Host, Vcpu
from workbench.engines.simulate import simulate
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.protocols import FIRST, PROTOCOLS, find

from .bench import bench_of

THIRD = find(f"{Path(__file__).parent / 'data' / 'third.py'}:RegisterArray")
KINDS = {**{name: PROTOCOLS[name] for name in FIRST}, THIRD.name: THIRD}
BASE = 0x4B56_4D40
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)


# -- conformance -----------------------------------------------------------------------------------------


@every_kind
@every_event
def test_every_protocol_goes_through_every_event_the_same_way_twice(kind, event):
    features = choose()
    runs = [simulate(Scenario(kind(features), features, vcpus=max(2, event.min_vcpus)), event) for _ in range(2)]
    one, other = runs
    assert one.fates == other.fates
    assert one.counts == other.counts
    owners = {(o, f.name) for f in one.scenario.features for o in one.scenario.owners(f)}
    assert set(one.fates) >= owners
    assert all(isinstance(fate, Fate) for fate in one.fates.values())
    assert one.counts["exits"] == one.counts["kernel_exits"] + one.counts["user_exits"]
    assert min(one.counts.values(), default=0) >= 0


@every_kind
@every_event
def test_every_protocol_keeps_its_state_in_entries_and_says_what_it_is(kind, event):
    features = choose()
    protocol = kind(features)
    before = dict(vars(protocol))
    machine = simulate(Scenario(protocol, features, vcpus=max(2, event.min_vcpus)), event).machine
    assert vars(protocol) == before, "nothing that a migration would have to carry hides in an attribute"
    assert all(isinstance(key, Key) for key in machine.entries)
    hash(tuple(machine.entries.items()))  # engines compare states by their entries
    for entry in protocol.state(machine.entries, list(machine.cpus.values())):
        assert isinstance(entry, StateEntry)
        assert entry.entry_bytes > 0
        assert entry.wire_bytes > 0
        assert entry.carried is (entry.interface != "none")
        assert VM <= entry.cpu < len(machine.cpus)


@every_kind
@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize(
    "host", [Host(), Host(knows_protocol=False), Host(knows_protocol=False, ignore_msrs=True)], ids=str
)
def test_every_protocol_answers_its_guest_with_accepted_or_refused(kind, name, host):
    bench = bench_of(kind, host=host)
    if bench.protocol.supports(FEATURES[name]):
        assert bench.register(name, 0x3000) in (ACCEPTED, REFUSED)
        assert bench.unregister(name, 0x3000) in (ACCEPTED, REFUSED)


@every_kind
@settings(max_examples=150)
@given(data=st.data())
def test_every_protocol_survives_whatever_a_guest_writes(kind, data):
    bench = bench_of(kind, vcpus=2)
    addresses = st.sampled_from([0, 0x3000, 0x3FF0, 0x8000, 0x1F_FFF0, 0x30_0000, (1 << 64) - 64])
    values = st.one_of(st.integers(0, (1 << 64) - 1), st.builds(int.__or__, addresses, st.integers(0, 63)))
    for _ in range(data.draw(st.integers(1, 5))):
        msr = data.draw(st.sampled_from(sorted(kind.msrs) or [0x11]))
        cpu, value = data.draw(st.integers(0, 1)), data.draw(values)
        if data.draw(st.booleans()):
            assert bench.wrmsr(msr, value, cpu) in (HANDLED, FAULT)
        else:
            assert bench.set_msr(msr, value, cpu) in (True, False)
        answer = bench.rdmsr(msr, cpu)
        assert answer is FAULT or 0 <= answer < 1 << 64
        bench.enter(cpu)
    bench.migrate()
    for cpu in (0, 1):
        bench.init(cpu)
        bench.enter(cpu)


@every_kind
def test_every_protocol_leaves_registers_that_are_not_its_own_to_others(kind):
    bench = bench_of(kind)
    foreign = next(msr for msr in range(0x4B56_4D00, 0x4B56_4E00) if msr not in kind.msrs)
    assert bench.wrmsr(foreign, 0) is FAULT
    assert bench.machine.entries == {}


# -- the third protocol itself ---------------------------------------------------------------------------


def test_the_file_is_about_a_hundred_lines():
    assert len((Path(__file__).parent / "data" / "third.py").read_text().splitlines()) <= 100


def test_third_R1_boots_linux_with_one_exit_for_each_area():
    features = choose()
    run = simulate(Scenario(THIRD(features), features, vcpus=64), EVENTS["boot"])
    assert run.counts["wrmsr_exits"] == 64 * 4 + 2
    assert run.counts["user_exits"] == 1, "the watchdog"
    registered = [key for key, fate in run.fates.items() if fate is Fate.REGISTERED]
    assert len(registered) == 64 * 4 + 2


@pytest.mark.parametrize("value", [0x3003, 0x3002, 0x30_0001, (1 << 64) - 64 | 1])
def test_third_R2_a_refused_value_changes_nothing(value):
    bench = bench_of(THIRD)
    assert bench.wrmsr(BASE, 0x3001) is HANDLED
    assert bench.wrmsr(BASE, value) is FAULT
    assert bench.rdmsr(BASE) == 0x3001
    assert bench.serves("kvmclock") == 0x3000


def test_third_R3_types_can_be_read_and_not_written():
    bench = bench_of(THIRD)
    sizes = [bench.rdmsr(BASE + 0x20 + n) >> 32 for n in range(len(FEATURES))]
    assert sizes == [feature.size for feature in FEATURES.values()]
    assert bench.wrmsr(BASE + 0x20, 1) is FAULT
    assert bench.rdmsr(BASE + 0x3F) == 0


def test_third_R5_a_migration_carries_what_the_registers_read():
    bench = bench_of(THIRD)
    for n, name in enumerate(FEATURES):
        bench.register(name, 0x3000 + 0x100 * n)
    areas = bench.machine.host_entries("area")
    assert len(bench.migrate()) == len(FEATURES)
    assert bench.machine.host_entries("area") == areas
    assert {entry.wire_bytes for entry in bench.state()} == {16}


def test_third_R6_init_clears_the_vcpus_own():
    bench = bench_of(THIRD)
    for n, name in enumerate(FEATURES):
        bench.register(name, 0x3000 + 0x100 * n)
    bench.init()
    assert {key.name for key in bench.machine.host_entries("area")} == {"wall_clock", "migration_control", "watchdog"}


def test_third_R7_the_guest_believes_a_refusal():
    bench = bench_of(THIRD)
    assert bench.register("steal_time", 0x30_0000) is REFUSED
    assert bench.register("steal_time", 0x3000) is ACCEPTED
    bench.unregister("steal_time", 0x3000)
    assert bench.serves("steal_time") is None


def test_third_needs_nothing_but_the_contract():
    """Its guest program and its handlers run on a bare machine, without scenario, events or engine."""
    protocol = THIRD(choose(["steal_time"]))
    machine = Machine([Vcpu(0)])
    machine.memory.add(0, 0x4000)
    program = protocol.register(machine.cpus[0], FEATURES["steal_time"], 0x1000)
    assert machine.run(0, guest_side(protocol, program)) is ACCEPTED
