"""Lanes: each operation is exact in every lane or diverges, and a batch leaves the same state as vCPUs run in turn."""

import operator
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clayout.layout import S32, U8, U16, U32, U64, struct
from workbench.core.contracts import Protocol
from workbench.core.host_state import Key, area, register
from workbench.core.machine import Machine
from workbench.core.outcome import ACCEPTED, HANDLED
from workbench.core.scenario import Scenario
from workbench.core.steps import Get, Load, Set, Store, Wrmsr
from workbench.engines.simulate import simulate
from workbench.engines.simulate.lanes import AtOnce
from workbench.engines.simulate.lanes.lane_bytes import LaneBytes, packed, together
from workbench.engines.simulate.lanes.machine import FEWEST_LANES
from workbench.engines.simulate.lanes.state import lifted, spread
from workbench.engines.simulate.lanes.values import Batch, Diverged, Lane
from workbench.errors import AuthorError, WorkbenchError
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols import FIRST, PROTOCOLS, Generic

FEATURES = choose()

# -- arithmetic ----------------------------------------------------------------------------------------

BINARY = [
    operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, divmod, operator.lshift,
    operator.rshift, operator.and_, operator.or_, operator.xor, operator.eq, operator.ne, operator.lt, operator.le,
    operator.gt, operator.ge, operator.truediv, operator.pow,
]  # fmt: skip
UNARY = [operator.neg, operator.pos, operator.invert, abs, bool, operator.index, int, float, str, repr, hash, range]
MASKS = [0xFFF, 0x1000, 0x3E, ~0x3F, 2**32 - 1, 2**64 - 1]
numbers = st.one_of(st.integers(-70, 70), st.integers(-(2**66), 2**66), st.sampled_from(MASKS))
strides = st.one_of(st.integers(-9, 9), st.sampled_from([0x1000, 0x2000, 64, 7600, -4096])).filter(bool)


@st.composite
def lanes(draw, batch):
    return Lane(draw(numbers), draw(strides), batch)


def in_lane(value, i):
    """Return the plain value of lane ``i``."""
    if isinstance(value, tuple):
        return tuple(in_lane(part, i) for part in value)
    return value.values[i] if isinstance(value, Lane) else value


def agrees(operation, *arguments, batch):
    """Check one operation against plain ints in each lane; return whether it answered."""
    try:
        answer = operation(*arguments)
    except Diverged:
        assert batch.refused, "whoever diverges is remembered"
        return False
    except (ZeroDivisionError, ValueError, OverflowError, MemoryError) as error:
        for i in range(batch.count):
            with pytest.raises(type(error)):
                operation(*(in_lane(argument, i) for argument in arguments))
        return True
    for i in range(batch.count):
        plain = operation(*(in_lane(argument, i) for argument in arguments))
        assert in_lane(answer, i) == plain
        assert type(in_lane(answer, i)) is type(plain)
    return True


@settings(max_examples=500)
@given(st.data(), st.sampled_from(BINARY), st.integers(2, 40), st.booleans(), st.booleans())
def test_a_binary_operation_is_exact_in_every_lane_or_diverges(data, operation, count, two, swapped):
    batch = Batch(count)
    one = data.draw(lanes(batch))
    shift = operation in (operator.lshift, operator.rshift, operator.pow)
    small = st.integers(-2, 70)
    other = data.draw(lanes(batch) if two else small if shift else st.one_of(small, numbers))
    if swapped and not shift:
        one, other = other, one
    agrees(operation, one, other, batch=batch)


@given(st.data(), st.sampled_from(UNARY), st.integers(2, 40))
def test_a_unary_operation_is_exact_in_every_lane_or_diverges(data, operation, count):
    batch = Batch(count)
    agrees(operation, data.draw(lanes(batch)), batch=batch)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda gpa: gpa | 1, range(0x10_0041, 0x10_8041, 0x1000)),
        (lambda gpa: gpa & ~0x3F, range(0x10_0040, 0x10_8040, 0x1000)),
        (lambda gpa: gpa & 0xFFFF_FFFF, range(0x10_0040, 0x10_8040, 0x1000)),
        (lambda gpa: gpa & 0x3F, 0),
        (lambda gpa: gpa % 0x1000 + 32, 0x60),
        (lambda gpa: gpa >> 12, range(0x100, 0x108)),
        (lambda gpa: gpa - gpa, 0),
        (lambda gpa: gpa == 0x10_0041, False),
        (lambda gpa: gpa + 64 > 1 << 64, False),
        (lambda gpa: gpa in (0, 1), False),
    ],
)
def test_what_registrations_do_with_an_address_does_not_diverge(operation, expected):
    answer = operation(Lane(0x10_0040, 0x1000, Batch(8)))
    assert (answer.values if isinstance(answer, Lane) else answer) == expected


@pytest.mark.parametrize(
    "operation",
    [
        lambda lane: lane == 5,
        lambda lane: lane < 5,
        bool,
        lambda lane: {lane: 1},
        lambda lane: [0, 1][lane],
        {}.get,
        lambda lane: f"{lane}",
        lambda lane: lane.bit_length(),
        lambda lane: lane / 2,
        lambda lane: lane + 0.5,
        lambda lane: b"x" * lane,
        lambda lane: lane * lane,
        lambda lane: U8.pack(lane + 250),
        lambda lane: U32.pack(lane - 1),
    ],
)
def test_an_operation_with_different_answers_in_lanes_diverges(operation):
    batch = Batch(8)
    with pytest.raises(Diverged):
        operation(batch.lane(0, 1))
    assert batch.refused


def test_lanes_pass_for_an_int_and_equal_lanes_become_an_int():
    batch = Batch(3)
    assert isinstance(batch.lane(1, 1), int)
    assert type(batch.lane(1, 0)) is int


# -- values and bytes ----------------------------------------------------------------------------------

MIXED = struct("struct mixed { u8 a; u64 b; u16 c; s32 d; u8 e[4]; };")
plain = st.one_of(st.integers(-5, 5), st.none(), st.booleans(), st.text(max_size=2))
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)


@given(st.data(), st.integers(2, 20))
def test_lifted_values_spread_to_the_original_values(data, count):
    batch = Batch(count)
    value = data.draw(st.tuples(values, st.one_of(lanes(batch), values)))
    columns = [in_lane(value, i) for i in range(count)]
    again = [one for one, _ in zip(spread(lifted(batch, columns)), range(count), strict=False)]
    assert again == columns
    assert list(map(repr, again)) == list(map(repr, columns)), "True is not 1"


@given(st.lists(st.one_of(st.integers(0, 3), plain), min_size=2, max_size=6))
def test_values_without_a_common_rule_diverge(columns):
    batch = Batch(len(columns))
    try:
        value = lifted(batch, columns)
    except Diverged:
        return
    again = [one for one, _ in zip(spread(value), columns, strict=False)]
    assert list(map(repr, again)) == list(map(repr, columns))


@given(st.data(), st.sampled_from([U8, U16, U32, U64, S32]), st.integers(2, 20))
def test_packed_lanes_hold_each_lanes_bytes(data, kind, count):
    batch = Batch(count)
    number = data.draw(lanes(batch))
    try:
        held = packed(number, kind)
    except Diverged:
        assert any(not 0 <= value < 1 << 8 * kind.size - kind.signed for value in number.values)
        return
    for i, value in enumerate(number.values):
        assert plain_bytes(held, i) == kind.pack(value)
    assert in_lane(kind.unpack(held), count - 1) == number.last


def plain_bytes(held, i):
    """Return the bytes of lane ``i``."""
    if not isinstance(held, LaneBytes):
        return held
    return bytes(
        atom if isinstance(atom, int) else atom.number.values[i] >> 8 * atom.byte & 0xFF for atom in held.atoms
    )


@given(st.data(), st.integers(2, 9))
def test_a_struct_of_lanes_is_the_struct_in_each_lane(data, count):
    batch = Batch(count)
    b, c = Lane(data.draw(st.integers(0, 2**40)), 0x1000, batch), Lane(data.draw(st.integers(0, 99)), 1, batch)
    value = MIXED(a=7, b=b, c=c, d=-3)
    for i in range(count):
        assert plain_bytes(value.pack(), i) == MIXED(a=7, b=in_lane(b, i), c=in_lane(c, i), d=-3).pack()
    assert (value.a, value.d, value.e, value["a"]) == (7, -3, bytes(4), 7)
    assert (value.b - b, value.c - c) == (0, 0)
    cut = data.draw(st.integers(0, len(value.pack())))
    glued = value.pack()[:cut] + value.pack()[cut:]
    assert glued == value.pack()
    assert in_lane(MIXED.on(MIXED().layout.abi).unpack(glued).b, count - 1) == b.last


def test_part_of_a_number_is_read_where_all_lanes_have_it():
    number = Batch(4).lane(0x1_0000_0000, 16)
    assert U32.unpack(U64.pack(number)[4:]) == 1
    assert U32.unpack(U64.pack(number)[:4]).values == range(0, 64, 16)
    assert U64.unpack(together((*U32.pack(number - 0x1_0000_0000).atoms, 0, 0, 0, 0))).last == 48


# -- the whole machine ---------------------------------------------------------------------------------


def state(run):
    """Return the complete observable state of a machine after a run, in the machine's own order."""
    machine = run.machine
    memory = machine.memory
    return {
        "entries": list(machine.entries.items()),
        "ever": list(machine.ever.items()),
        "notes": list(machine.notes.items()),
        "types": [repr(item) for kept in (machine.entries, machine.ever, machine.notes) for item in kept.items()],
        "pages": {frame: bytes(page) for frame, page in memory.pages.present.items()},
        "dirty": [(slot.gpa, slot.size, sorted(slot.dirty)) for slot in memory.slots],
        "vmm dirty": sorted(memory._vmm_dirty),
        "shared": sorted(memory._shared),
        "cpus": machine.cpus,
        "time": machine.now(),
        "counts": dict(run.counts),
        "boot counts": dict(run.boot_counts),
        "fates": list(run.fates.items()),
        "strays": run.strays,
    }


class Batches(NamedTuple):
    turns: list
    fates: list


@pytest.fixture
def batches(monkeypatch):
    """Record whether each batch of lanes was sound: of turns, which take steps, and of questions, which take none."""
    found = Batches([], [])

    def noting(at_once, cpus, steps, act):
        answers = run(at_once, cpus, steps, act)
        (found.turns if steps else found.fates).append(answers is not None)
        return answers

    run = AtOnce.run
    monkeypatch.setattr(AtOnce, "run", noting)
    return found


def both(make, event, vcpus, **circumstances):
    """Return the states after a run with lanes and after a run without; each run has its own protocol object."""
    ways = []
    for lanes_on in (True, False):
        scenario = Scenario(make(FEATURES), FEATURES, vcpus=vcpus, **circumstances)
        ways.append(state(simulate(scenario, EVENTS[event], lanes=lanes_on)))
    return ways


@pytest.mark.parametrize("vcpus", [1, 17, FEWEST_LANES + 2, 40])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("protocol", FIRST)
def test_lanes_leave_the_machine_as_one_vcpu_after_the_other_does(protocol, event, vcpus):
    if vcpus < EVENTS[event].min_vcpus:
        vcpus = 16
    at_once, in_turn = both(PROTOCOLS[protocol], event, vcpus, seed=3)
    assert at_once == in_turn


@pytest.mark.parametrize("mitigation", [*((PROTOCOLS["generic"], m) for m in Generic.mitigations_known)], ids=str)
@pytest.mark.parametrize("event", ["boot", "kexec", "migrate", "encrypted", "suspend-resume", "init"])
def test_mitigations_too(mitigation, event):
    protocol, name = mitigation
    at_once, in_turn = both(partial(protocol, mitigations=(name,)), event, 20)
    assert at_once == in_turn


@pytest.mark.parametrize("event", ["boot", "migrate", "encrypted", "memslot-unplug", "double-registration"])
@pytest.mark.parametrize("protocol", FIRST)
def test_shipped_protocols_do_run_at_once(protocol, event, batches):
    both(PROTOCOLS[protocol], event, 40)
    assert batches.turns
    assert batches.fates
    assert all(batches.turns + batches.fates)


def test_a_trace_shows_every_vcpu_in_turn(batches):
    scenario = Scenario(Generic(FEATURES), FEATURES, vcpus=40)
    run = simulate(scenario, EVENTS["boot"], trace=True)
    assert batches == ([], [])
    assert {access.cpu for access in run.trace} == set(range(40))


# -- protocols that are not for lanes ------------------------------------------------------------------

MSR = 0x4B56_4DF0
BLOCK = 0x8000


class Own(Protocol):
    """A protocol with one register; each subclass defines its handler."""

    name = "own"
    msrs = frozenset({MSR})

    def register(self, cpu, feature, gpa):
        yield Wrmsr(MSR, gpa)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), value)
        return HANDLED


class OneIsSpecial(Own):
    """Treats vCPU 7 differently."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), value if cpu.index != 7 else 0)
        return HANDLED


class OneIsSlower(Own):
    """The handler takes one step more for vCPU 7."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        for _ in range(2 if cpu.index == 7 else 1):
            yield Set(register(cpu.index, msr), value)
        return HANDLED


class OneAddress(Own):
    """Every vCPU counts in the same word."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        seen = yield Load(BLOCK, U32)
        yield Store(BLOCK, seen + 1, U32)
        yield Set(register(cpu.index, msr), seen)
        return HANDLED


class Neighbours(Own):
    """Every vCPU reads what the one before it wrote."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        here = BLOCK + cpu.index * 4096
        before = yield Load(here - 4096, U32)
        yield Store(here, before + 1, U32)
        return HANDLED


class Overwriters(Own):
    """Every vCPU writes where the next one will write."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        here = BLOCK + cpu.index * 4096
        yield Store(here, cpu.index, U32)
        yield Store(here + 4096, 7, U32)
        return HANDLED


class Packed(Own):
    """Areas of all vCPUs in one array."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Store(BLOCK + 8 * cpu.index, value, U64)
        return HANDLED


class OneEntry(Own):
    """All vCPUs count in one entry."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        seen = (yield Get(register(-1, msr))) or 0
        yield Set(register(-1, msr), seen + 1)
        return HANDLED


class NeighboursEntry(Own):
    """Every vCPU reads the entry of the one before."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        before = (yield Get(register(cpu.index - 1, msr))) or 0
        yield Set(register(cpu.index, msr), before + 1)
        return HANDLED


class SomebodysEntry(Own):
    """Every vCPU reads the entry of vCPU 5."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        before = yield Get(register(5, msr))
        yield Set(register(cpu.index, msr), value if before else 1)
        return HANDLED


class NameOfItsOwn(Own):
    """The key of each entry depends on its value."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(Key("mine", 0, value), value)
        return HANDLED


class Hidden(Own):
    """Keeps state in a Python attribute, which no migration would carry."""

    def __init__(self, features, mitigations=()):
        super().__init__(features, mitigations)
        self.calls = 0

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        self.calls += 1
        yield Set(register(cpu.index, msr), self.calls)
        return HANDLED


class Catcher(Own):
    """Catches every exception."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        try:
            text = str(value)
        except:  # noqa: E722
            text = "none"
        yield Set(register(cpu.index, msr), text)
        return HANDLED


class Boxed(Own):
    """Keeps a value in a Python object that the engine cannot inspect."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), KEPT(base=value))
        return HANDLED


KEPT = struct("struct kept { u64 base; };")
UNFIT = [OneIsSpecial, OneIsSlower, OneAddress, Neighbours, Packed, OneEntry, NeighboursEntry, SomebodysEntry]
UNFIT += [Overwriters, NameOfItsOwn, Catcher, Boxed]


@pytest.mark.parametrize("kind", UNFIT)
def test_a_protocol_that_is_not_for_lanes_gets_the_right_answer(kind, batches):
    at_once, in_turn = both(kind, "boot", 40)
    assert at_once == in_turn
    assert sum(batches.turns) < 2, "the entries may have been run at once, the boots cannot"


def test_a_protocol_that_keeps_state_in_an_attribute_is_refused():
    with pytest.raises(AuthorError, match=r"test_lanes\.py:\d+: Hidden\.on_wrmsr: self\.calls changed during a run"):
        both(Hidden, "boot", 40)


def test_a_users_own_protocol_runs_at_once_if_possible(batches):
    at_once, in_turn = both(Own, "boot", 40)
    assert at_once == in_turn
    assert batches.turns == [True, True]
    assert all(batches.fates)


class Breaks(Own):
    """Raises an error on vCPU 9."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if cpu.index == 9:
            raise WorkbenchError("vCPU 9")
        yield Set(area(cpu.index, "own"), value)
        return HANDLED


def test_an_error_is_raised_by_the_vcpu_that_caused_it():
    with pytest.raises(WorkbenchError, match="vCPU 9"):
        both(Breaks, "boot", 40)


@pytest.mark.parametrize(
    "act",
    [
        lambda machine, cpu: cpu,
        lambda machine, cpu: (1, machine.cpus[cpu].index),
        lambda machine, cpu: machine.cpus[3].index,
        lambda machine, cpu: KEPT(base=cpu),
        lambda machine, cpu: cpu > 5,
        lambda machine, cpu: None,
    ],
)
def test_the_answers_are_those_of_each_vcpu(act):
    scenario = Scenario(Own(FEATURES), FEATURES, vcpus=40)
    machine = Machine(scenario.cpus)
    assert AtOnce(machine, scenario.protocol)(range(40), act) == [act(machine, cpu) for cpu in range(40)]


# -- random programs -----------------------------------------------------------------------------------

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
