"""Gathering the bits of a key from a packed state: one instruction where the processor has a fast one.

Rule kept here: both ways give the same key, because a layout numbers the fields of a key in the order in
which they lie in the word. Source: PEXT of BMI2; it is microcoded, and slow, before Zen 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

SLOW = ("znver1", "znver2", "bdver4")  # processors that have PEXT and should not use it


@intrinsic
def _pext(_context: Any, value: Any, mask: Any) -> Any:
    """The bits of `value` selected by `mask`, next to each other at the low end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word, word]), "llvm.x86.bmi.pext.64"
        )
        return builder.call(function, arguments)

    return types.uint64(types.uint64, types.uint64), generate


@njit(cache=True, inline="always")
def gather_by_instruction(state: Any, node: Any, nodes: Any, segments: Any) -> Any:
    """The key of a state at a node, by PEXT."""
    return _pext(state, np.uint64(nodes[node, 3]))  # type: ignore[call-arg]


@njit(cache=True, inline="always")
def gather_by_segments(state: Any, node: Any, nodes: Any, segments: Any) -> Any:
    """The key of a state at a node, segment by segment."""
    key = np.uint64(0)
    first = nodes[node, 1]
    for place in range(first, first + nodes[node, 2]):
        key |= ((state >> segments[place, 0]) & segments[place, 1]) << segments[place, 2]
    return key


def _has_fast_pext() -> bool:
    features = binding.get_host_cpu_features()
    return bool(features.get("bmi2")) and binding.get_host_cpu_name() not in SLOW


gather = gather_by_instruction if _has_fast_pext() else gather_by_segments
