"""What tests of lanes draw from, and how a lane is read: operations, numbers, lanes, the value in one of them."""

import operator

from hypothesis import strategies as st

from workbench.engines.simulate.lanes.values import Lane

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
