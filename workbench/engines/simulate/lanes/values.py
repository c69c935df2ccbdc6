"""Symbolic numbers: in lane ``i`` of a batch of vCPUs such a number is ``first + stride * i``, exactly.

Application CPUs mostly do the same thing at different addresses. The author's own generator, run once on such numbers,
does it for all of them. An operation is exact in every lane, or it raises :class:`Diverged`; a comparison has a result
only if all lanes agree. So a completed batch equals running each vCPU alone; otherwise the vCPUs are run one by one.

A number that is the same in all lanes is an ordinary int.
"""

from typing import Any, Never

from workbench.clayout.symbolic import SymbolicNumber
from workbench.engines.simulate.lanes import lane_bytes


class Diverged(BaseException):
    """The lanes disagree, or an operation is not supported for all lanes at once. This is not an error of the program.

    It is a BaseException, so that ``except Exception`` in a program does not catch it.
    """


class Batch:
    """The number of lanes (two or more), and whether any of their numbers has refused an operation.

    ``refused`` stays set even if a program catches :class:`Diverged`.
    """

    __slots__ = ("count", "refused")

    def __init__(self, count: int) -> None:
        self.count = count
        self.refused = False

    def refuse(self, why: str) -> Never:
        """Raise Diverged, and remember that it was raised."""
        self.refused = True
        raise Diverged(why)

    def lane(self, first: int, stride: int) -> Any:
        """Return the number ``first + stride * i``: an int where the stride is 0, a Lane otherwise."""
        return Lane(first, stride, self) if stride else first


class Lane(SymbolicNumber):
    """An int that differs from lane to lane by ``stride``, which is not 0."""

    __slots__ = ("batch", "first", "stride")

    def __init__(self, first: int, stride: int, batch: Batch) -> None:
        self.first = first
        self.stride = stride
        self.batch = batch

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance(x, int) must be true, as it is for the number of a single vCPU
        return int

    @property
    def last(self) -> int:
        """The value in the last lane; all others lie between it and ``first``."""
        return self.first + self.stride * (self.batch.count - 1)

    @property
    def values(self) -> range:
        """The value in each lane."""
        return range(self.first, self.first + self.stride * self.batch.count, self.stride)

    def is_same(self, other: Any) -> bool:
        """Tell whether ``other`` is the same number in every lane, without an operation on it."""
        return type(other) is Lane and (other.first, other.stride) == (self.first, self.stride)

    # -- arithmetic ------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        if isinstance(other, float | complex):
            self.refuse()
        if isinstance(other, Lane):
            return self.batch.lane(self.first + other.first, self.stride + other.stride)
        return Lane(self.first + other, self.stride, self.batch) if isinstance(other, int) else NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Any:
        return Lane(-self.first, -self.stride, self.batch)

    def __pos__(self) -> Any:
        return self

    def __invert__(self) -> Any:
        return -self - 1

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, int) else self.refuse()

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        factor = self._constant(other)
        return self.batch.lane(self.first * factor, self.stride * factor)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        divisor = self._constant(other)
        if self.stride % divisor == 0:
            return self.batch.lane(self.first // divisor, self.stride // divisor)
        if self.first // divisor == self.last // divisor:
            return self.first // divisor
        return self.refuse()

    def __mod__(self, other: Any) -> Any:
        return self - self // other * other

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __lshift__(self, other: Any) -> Any:
        return self * (1 << self._constant(other))

    def __rshift__(self, other: Any) -> Any:
        return self // (1 << self._constant(other))

    def __and__(self, other: Any) -> Any:
        mask = self._constant(other)
        # Below the stride's lowest set bit all lanes have the same bits, and so they have above the highest that
        # differs between the first and the last. Those in between are all kept or all dropped.
        begin = (self.stride & -self.stride).bit_length() - 1
        end = (self.first ^ self.last).bit_length() if (self.first < 0) == (self.last < 0) else None
        between = (-1 if end is None else (1 << end) - 1) & -1 << begin
        same = self.first & ~between
        if mask & between == 0:
            return same & mask
        return self - same + (same & mask) if mask & between == between else self.refuse()

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self + other - (self & other)

    __ror__ = __or__

    def __xor__(self, other: Any) -> Any:
        return self + other - 2 * (self & other)

    __rxor__ = __xor__

    # -- comparison ------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, int):
            return self.refuse() if isinstance(other, float | complex) else NotImplemented
        apart = self - other
        if not isinstance(apart, Lane):
            return apart == 0
        lane, rest = divmod(-apart.first, apart.stride)
        return self.refuse() if rest == 0 and 0 <= lane < self.batch.count else False

    def __hash__(self) -> int:
        return self.refuse()

    def __lt__(self, other: Any) -> Any:
        return self._below(other, 0) if isinstance(other, int) else self.refuse()

    def __le__(self, other: Any) -> Any:
        return self._below(other, 1) if isinstance(other, int) else self.refuse()

    def __gt__(self, other: Any) -> Any:
        return not self <= other

    def __ge__(self, other: Any) -> Any:
        return not self < other

    def __bool__(self) -> Any:
        return self != 0

    def _below(self, other: Any, slack: int) -> bool:
        apart = self - other
        if not isinstance(apart, Lane):
            return bool(apart < slack)
        begins, ends = apart.first < slack, apart.last < slack
        return begins if begins == ends else self.refuse()

    # -- as bytes --------------------------------------------------------------------------------------

    def packed(self, kind: Any) -> Any:
        return lane_bytes.packed(self, kind)

    def filled(self, layout: Any, fields: dict[str, Any]) -> Any:
        return lane_bytes.filled(layout, fields)

    # -- what only a single number can do ----------------------------------------------------------------

    def refuse(self, *_: Any) -> Never:
        """Raise Diverged; also used for every operation that is not defined above."""
        self.batch.refuse(f"an operation on {self.first} + {self.stride} * lane")

    def _constant(self, other: Any) -> int:
        return other if isinstance(other, int) and not isinstance(other, Lane) else self.refuse()


#: Python looks these up on the class, so each must be defined there to be refused.
_SINGLE = """
    repr str format index int float complex round floor ceil trunc getattr reduce_ex
    truediv rtruediv rfloordiv rmod rdivmod pow rpow rlshift rrshift matmul rmatmul
"""
for _name in _SINGLE.split():
    setattr(Lane, f"__{_name}__", Lane.refuse)
