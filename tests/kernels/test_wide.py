"""The machine code of each stage of learning uses the widest registers that the machine has, read from its assembly."""

from __future__ import annotations

import re

import numba
import numpy as np
import pytest
from numba.core.codegen import get_host_cpu_features

from streamlstm.kernels import COMMON, FLAGS, adam, lstm
from streamlstm.kernels.product import product
from tests.kernels import needs_compiler

pytestmark = needs_compiler

FEATURES = get_host_cpu_features().split(",")
REGISTER = "zmm" if "+avx512f" in FEATURES else "ymm" if "+avx2" in FEATURES else ""
H, F, B, K = 48, 28, 5, 24
SIZES = [("w", (F + H, 4 * H)), ("b", (4 * H,)), ("p", (3 * H,)), ("a", (K + 1, B, F + H)), ("c", (K + 1, B, H))]
SIZES += [("z", (K, B, 4 * H)), ("out", (K, B, H)), ("dh", (K, B, H)), ("dc", (B, H)), ("wt", (4 * H, H))]
SIZES += [("gw", (F + H, 4 * H)), ("gb", (4 * H,)), ("gp", (3 * H,)), ("flat", (5, 1024))]
RECORD = np.dtype([(name, np.float32, size) for name, size in SIZES])


def products(s):
    product(s.a[0], s.w, s.z[0])


def gates(s):
    lstm.gates(s.z[0, 0], s.p, s.c[0, 0], False)


def cell_back(s):
    lstm.cell_back(s.p, s.c[0, 0], s.z[0, 0], s.out[0, 0], s.dh[0, 0], s.dc[0], False)


def weigh(s):
    lstm.weigh(s.a, s.c, s.z, s.gw, s.gb, s.gp, K)


def adam_step(s):
    adam.adam(s.flat[0], s.flat[1], s.flat[2], s.flat[3], s.flat[4], 1e-3, 1.0, 10, 0.01)


@pytest.mark.skipif(not REGISTER, reason="neither AVX2 nor AVX-512 here")
@pytest.mark.parametrize("stage", [products, gates, cell_back, weigh, adam_step])
def test_a_stage_is_computed_in_the_widest_registers(stage):
    own = numba.njit(fastmath=FLAGS, **COMMON)(stage)
    compiled = numba.njit(fastmath=FLAGS, **COMMON)(lambda records: own(records[0]))
    compiled(np.zeros(1, RECORD))
    (assembly,) = compiled.inspect_asm().values()
    wide = re.findall(rf"^\s+v(?:fn?m(?:add|sub)\d+|mul|add)ps\b.*%?{REGISTER}", assembly, re.M)
    assert wide, f"no {REGISTER} is computed with"
