"""What this machine gives: fused multiply-adds from registers, and bytes read from each level of its memory.

Multiply-adds come from a loop whose vectors are written down in LLVM's own terms, so that nothing else is in it; bytes
from a sum over an array that fits the level.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from streamlstm.model import arena

_FEATURES = (numba.config.CPU_FEATURES or get_host_cpu_features()).split(",")
LANES = 16 if "+avx512f" in _FEATURES else 8 if "+avx" in _FEATURES else 4
CHAINS = 12  # side by side: more than ports times latency, and with two constants fewer than 16 registers
UNROLLED = 8
LEVELS_KIB = {"L1": 24, "L2": 384, "L3": 12 * 1024, "memory": 768 * 1024}  # what is read: well within each level
SECONDS = 0.02  # of one timing, at least
_VECTOR, _INDEX = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)


@intrinsic
def _multiply_adds(_: Any, times: types.Integer) -> Any:  # noqa: ARG001
    """CHAINS × UNROLLED × times multiply-adds, x ← x / 2 + 1, of whole vectors; returns the sum of all x."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:  # noqa: ARG001
        factor, term = (ir.Constant(_VECTOR, [number] * LANES) for number in (0.5, 1.0))
        sums = _sums(builder)
        with cgutils.for_range(builder, args[0]):
            for _ in range(UNROLLED):
                for one in sums:
                    product = builder.fmul(builder.load(one), factor, flags=["contract"])
                    builder.store(builder.fadd(product, term, flags=["contract"]), one)
        return _total(builder, sums)

    return types.float32(types.intp), code


@intrinsic
def _sum(_: Any, a: types.Array) -> Any:
    """The sum of an array, whole vectors of it, CHAINS at a time; of what is left over, nothing."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        begin = builder.bitcast(array.data, _VECTOR.as_pointer())
        sums = _sums(builder)
        with cgutils.for_range(builder, builder.udiv(array.nitems, _INDEX(CHAINS * LANES))) as loop:
            at = builder.mul(loop.index, _INDEX(CHAINS))
            for n, one in enumerate(sums):
                read = builder.load(builder.gep(begin, [builder.add(at, _INDEX(n))]), align=4)
                builder.store(builder.fadd(builder.load(one), read), one)
        return _total(builder, sums)

    return types.float32(a), code


def _sums(builder: ir.IRBuilder) -> list[ir.Value]:
    """Vectors that the compiler keeps in registers; they differ, or one would do for all."""
    return [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [float(n)] * LANES)) for n in range(CHAINS)]


def _total(builder: ir.IRBuilder, sums: list[ir.Value]) -> ir.Value:
    total = builder.load(sums[0])
    for one in sums[1:]:
        total = builder.fadd(total, builder.load(one))
    lanes = [builder.extract_element(total, ir.Constant(ir.IntType(32), lane)) for lane in range(LANES)]
    whole = lanes[0]
    for lane in lanes[1:]:
        whole = builder.fadd(whole, lane)
    return whole


@numba.njit(nogil=True)
def multiply_adds(times):
    return _multiply_adds(times)


@numba.njit(nogil=True)
def summed(a):
    return _sum(a)


@numba.njit(nogil=True)
def read(a, times):
    """Sum up an array so many times. What is stored between two times keeps the second from being left out."""
    for n in range(times):
        a[n % 16] = _sum(a) * np.float32(1e-9)


def seconds_of(work: Callable[[int], Any]) -> float:
    """Processor time of one of so many times that the whole takes long enough to be timed."""
    work(1)  # compiles
    times = 1
    while True:
        began_s = time.thread_time()
        work(times)
        took_s = time.thread_time() - began_s
        if took_s >= SECONDS:
            return took_s / times
        times = max(times * 2, int(times * 1.2 * SECONDS / max(took_s, 1e-9)))


def fma_per_s() -> float:
    """Multiply-adds of single numbers, each counted once."""
    return CHAINS * UNROLLED * LANES / seconds_of(multiply_adds)


def bytes_per_s(kib: int) -> float:
    a = arena.zeros(kib * 1024).view(np.float32)
    a[:] = 1  # or all pages would be the same one
    return a.nbytes / seconds_of(partial(read, a))
