"""A count as a law in the number of vCPUs, found by runs of several sizes: "1 + 5V"."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: The numbers of vCPUs that are run and told. A law must hold for all of them; two of them would fix any line.
SIZES = (2, 3, 5, 8)
#: The size at which designs are ranked; it is run too, and a law must hold for it.
LARGE = 64


class Law(NamedTuple):
    """A count at each of SIZES, and the straight line through these and the one at LARGE, if they are on one."""

    counts: tuple[int, ...]
    line: tuple[int, int] | None  #: fixed, and for each vCPU
    at_large: int  #: the count at LARGE vCPUs

    def __str__(self) -> str:
        if self.line is None:
            return ", ".join(map(str, self.counts))
        fixed, slope = self.line
        if not slope:
            return str(fixed)
        each = "V" if slope == 1 else f"{slope}V"
        return f"{fixed} + {each}" if fixed > 0 else f"{each} - {-fixed}" if fixed else each


def law(count: Callable[[int], int]) -> Law:
    """Return the law of ``count(vcpus)``."""
    *counts, large = map(count, (*SIZES, LARGE))
    slope, rest = divmod(large - counts[0], LARGE - SIZES[0])
    fixed = counts[0] - slope * SIZES[0]
    straight = rest == 0 and all(fixed + slope * size == found for size, found in zip(SIZES, counts, strict=True))
    return Law(tuple(counts), (fixed, slope) if straight else None, large)
