"""Each kernel against its twin in `tests/reference.py`; here is how a test calls one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

JIT = not numba.config.DISABLE_JIT
needs_compiler = pytest.mark.skipif(
    not JIT, reason="plain Python falls back to the C library here: nothing of ours runs"
)


def ready(kernel: Any) -> Callable[..., Any]:
    """A kernel by itself, with its own flags, kept on disk; with the compiler off it is plain Python already.

    It is compiled apart from the production code, which inlines it, so that no test changes what another one runs.
    """
    if not JIT:
        return kernel
    flags = {name: value for name, value in kernel.targetoptions.items() if name != "nopython"}
    return numba.njit(cache=True, **flags)(kernel.py_func)


def ulps(count: float, dtype: Any) -> float:
    """So many rounding errors of a type, relative to the size of what is rounded."""
    return count * float(np.finfo(dtype).eps)
