"""What threads may do at the same time to one word of an array: compare-and-swap, add, load, store; and prefetch.

Rule kept here: a word that one thread may write while another reads or writes it is reached through these alone.
``swapped`` and ``added`` acquire and release, ``loaded`` acquires, ``stored`` releases (C11, 7.17.3): whoever sees a
word that was stored also sees what was written before it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTES = 8
LANES = 8  # words that are compared at once


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The address of element ``arguments[1]`` of the array ``arguments[0]``."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


def _swapped_code(_context: Any, array: Any, place: Any, old: Any, new: Any) -> Any:
    """Store ``new`` if the word is ``old``; return what the word was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = _place(context, builder, signature, arguments)
        pair = builder.cmpxchg(word, arguments[2], arguments[3], "acq_rel", "acquire")
        return builder.extract_value(pair, 0)

    return array.dtype(array, types.int64, array.dtype, array.dtype), generate


def _added_code(_context: Any, array: Any, place: Any, more: Any) -> Any:
    """Add to the word; return what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _place(context, builder, signature, arguments), arguments[2], "acq_rel")

    return array.dtype(array, types.int64, array.dtype), generate


def _loaded_code(_context: Any, array: Any, place: Any) -> Any:
    """The word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, arguments), "acquire", _BYTES)

    return array.dtype(array, types.int64), generate


def _stored_code(_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Store the word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[2], _place(context, builder, signature, arguments), "release", _BYTES)
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), generate


def _prefetched_code(_context: Any, array: Any, place: Any) -> Any:
    """Bring the cache line of the word near, to be written."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, address = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        word = builder.bitcast(_place(context, builder, signature, arguments), address)
        builder.call(function, [word, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), generate


def _row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The LANES words from ``arguments[1]`` on, by one load."""
    row = ir.VectorType(ir.IntType(64), LANES).as_pointer()
    return builder.load(builder.bitcast(_place(context, builder, signature, arguments), row), align=_BYTES)


def _lanes_equal(builder: Any, row: Any, value: Any) -> Any:
    """Which words of a row have a value: bit n for word n."""
    one = builder.insert_element(ir.Constant(row.type, ir.Undefined), value, ir.IntType(32)(0))
    spread = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
    same = builder.icmp_unsigned("==", row, spread)
    return builder.zext(builder.bitcast(same, ir.IntType(LANES)), ir.IntType(64))


def _equal_code(_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Which of the LANES words from ``place`` on have a value: bit n for word n."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _lanes_equal(builder, _row(context, builder, signature, arguments), arguments[2])

    return types.uint64(array, types.int64, array.dtype), generate


def _equal_and_zero_code(_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Which of the LANES words from ``place`` on have a value, and which are 0: both of what one load has read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = _row(context, builder, signature, arguments)
        both = [_lanes_equal(builder, row, word) for word in (arguments[2], arguments[2].type(0))]
        return context.make_tuple(builder, signature.return_type, both)

    return types.UniTuple(types.uint64, 2)(array, types.int64, array.dtype), generate


def _lowest_code(_context: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set; there is one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


swapped: Any = intrinsic(_swapped_code)
added: Any = intrinsic(_added_code)
loaded: Any = intrinsic(_loaded_code)
stored: Any = intrinsic(_stored_code)
prefetched: Any = intrinsic(_prefetched_code)
equal: Any = intrinsic(_equal_code)
equal_and_zero: Any = intrinsic(_equal_and_zero_code)
lowest: Any = intrinsic(_lowest_code)
