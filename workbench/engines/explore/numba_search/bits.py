"""Gathers the bits of a key from a packed state, with the PEXT instruction where it is fast.

Rule kept here: both ways give the same key, because a layout numbers the fields of a key in the order in
which they lie in the word. Source: PEXT of BMI2; on AMD before Zen 3 it is microcoded, and slow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from workbench.engines.explore.numba_search.compiling import loop

SLOW = ("znver1", "znver2", "bdver4")  # processors that have PEXT and should not use it


def _pext_code(_context: Any, value: Any, mask: Any) -> Any:
    """The bits of `value` selected by `mask`, next to each other at the low end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word, word]), "llvm.x86.bmi.pext.64"
        )
        return builder.call(function, arguments)

    return types.uint64(types.uint64, types.uint64), generate


_pext: Any = intrinsic(_pext_code)


@loop(inline="always")
def gather_by_instruction(states: Any, index: Any, node: Any, nodes: Any, _segments: Any, span: Any) -> Any:
    """The key of a state at a node, by PEXT: the selected bits of each word, one after the other."""
    key: Any = _pext(states[index, 0], np.uint64(nodes[node, 3]))
    for word in range(1, len(span)):
        piece = _pext(states[index, word], np.uint64(nodes[node, 2 + 2 * word]))
        key |= piece << np.uint64(nodes[node, 3 + 2 * word])
    return key


@loop(inline="always")
def gather_by_segments(states: Any, index: Any, node: Any, nodes: Any, segments: Any, _span: Any) -> Any:
    """The key of a state at a node, segment by segment."""
    key = np.uint64(0)
    first = nodes[node, 1]
    for place in range(first, first + nodes[node, 2]):
        word = states[index, np.int64(segments[place, 3])]
        key |= ((word >> segments[place, 0]) & segments[place, 1]) << segments[place, 2]
    return key


def _has_fast_pext() -> bool:
    features = binding.get_host_cpu_features()
    return bool(features.get("bmi2")) and binding.get_host_cpu_name() not in SLOW


gather = gather_by_instruction if _has_fast_pext() else gather_by_segments
