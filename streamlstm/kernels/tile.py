"""A tile of a product of matrices, in the CPU's registers from its first term to its last.

A loop that the compiler vectorises keeps a row of sums in memory, and loads and stores it again for every few terms. A
tile's sums fit the registers, so each term costs one load of `w` for all rows, and no store. numba has no vectors that
would say so: this is the one place where LLVM's own are written down. Each sum is still one fused multiply-add after
the other, k = 0, 1, 2 …, and comes to the same bits as a loop over k.

Goto and van de Geijn (2008), Anatomy of high-performance matrix multiplication, §4.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

_settings: Any = numba.config
_FEATURES = (_settings.CPU_FEATURES or get_host_cpu_features()).split(",")
# Numbers in a vector, and vectors beside each other: five rows of four fill 20 of 32 registers, of two 10 of 16.
LANES, ACROSS = (16, 4) if "+avx512f" in _FEATURES else (8, 2) if "+avx" in _FEATURES else (4, 4)
ROWS = 5  # so many windows stand side by side
_INDEX = ir.IntType(32)


class _Matrix:
    """A matrix of floats in any layout, as the compiler sees it."""

    def __init__(self, context: Any, builder: ir.IRBuilder, kind: types.Array, value: ir.Value) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.rows, self.columns = cgutils.unpack_tuple(builder, array.shape)
        self._builder, self._kind, self._number = builder, kind, context.get_value_type(kind.dtype)
        self._strides = cgutils.unpack_tuple(builder, array.strides)
        self._data = builder.bitcast(array.data, ir.IntType(8).as_pointer())

    def at(self, row: ir.Value, column: ir.Value, of: ir.Type | None = None) -> ir.Value:
        """A pointer to the numbers from there on; of: as what, if not as one number."""
        steps = [self._builder.mul(place, stride) for place, stride in zip((row, column), self._strides, strict=True)]
        place = self._builder.gep(self._data, [self._builder.add(*steps)])
        return self._builder.bitcast(place, (of or self._number).as_pointer())


def tile(across: int, lanes: int = LANES) -> Any:
    """`tile(x, w, out, at)`: out[:, at : at + across * lanes] += x w[:, at : …], all of these columns there.

    x (R, K) in any layout; w (K, M) and out (R, M) with rows that are contiguous. ROWS rows at a time, what is left of
    them one by one.
    """

    @intrinsic
    def added(_: Any, x: Any, w: Any, out: Any, at: Any) -> Any:  # noqa: ARG001  numba's typing wants it
        def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
            kinds = signature.args[:3]
            of_x, of_w, of_out = [_Matrix(context, builder, *one) for one in zip(kinds, args[:3], strict=True)]
            number, size = context.get_value_type(x.dtype), x.dtype.bitwidth // 8
            vector, whole = ir.VectorType(number, lanes), args[3].type
            places = [builder.add(args[3], whole(v * lanes)) for v in range(across)]

            def of_rows(first: ir.Value, rows: int) -> None:
                sums = [[cgutils.alloca_once(builder, vector) for _ in places] for _ in range(rows)]
                each = [builder.add(first, whole(r)) for r in range(rows)]
                for r, row in zip(each, sums, strict=True):
                    for own, place in zip(row, places, strict=True):
                        builder.store(builder.load(of_out.at(r, place, vector), align=size), own)
                with cgutils.for_range(builder, of_w.rows) as loop:
                    weights = [builder.load(of_w.at(loop.index, place, vector), align=size) for place in places]
                    for r, row in zip(each, sums, strict=True):
                        term = _everywhere(builder, builder.load(of_x.at(r, loop.index)), vector)
                        for own, weight in zip(row, weights, strict=True):
                            product = builder.fmul(term, weight, flags=["contract"])
                            builder.store(builder.fadd(product, builder.load(own), flags=["contract"]), own)
                for r, row in zip(each, sums, strict=True):
                    for own, place in zip(row, places, strict=True):
                        builder.store(builder.load(own), of_out.at(r, place, vector), align=size)

            fives = builder.udiv(of_out.rows, whole(ROWS))
            with cgutils.for_range(builder, fives) as loop:
                of_rows(builder.mul(loop.index, whole(ROWS)), ROWS)
            with cgutils.for_range(builder, of_out.rows, start=builder.mul(fives, whole(ROWS))) as loop:
                of_rows(loop.index, 1)
            return context.get_dummy_value()

        return types.void(x, w, out, types.intp), code

    return added


def _everywhere(builder: ir.IRBuilder, number: ir.Value, vector: ir.VectorType) -> ir.Value:
    """A vector with the same number everywhere."""
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, number, _INDEX(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_INDEX, vector.count), [0] * vector.count))
