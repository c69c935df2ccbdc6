"""Lanes as values: each operation is exact in every lane or diverges."""

import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.lane_values import BINARY, UNARY, in_lane, lanes, numbers
from workbench.clayout.layout import S32, U8, U16, U32, U64, struct
from workbench.engines.simulate.lanes.lane_bytes import LaneBytes, packed, together
from workbench.engines.simulate.lanes.state import lifted, spread
from workbench.engines.simulate.lanes.values import Batch, Diverged, Lane


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
