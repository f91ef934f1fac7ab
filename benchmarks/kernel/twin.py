"""twin.c, compiled when it is wanted, for the sizes that are wanted, and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kernel.sizes import Sizes, state

SOURCE = Path(__file__).parent / "twin.c"
FLAGS = ("-O3", "-march=native", "-ffast-math")
WIDE = "-mprefer-vector-width=512"  # clang keeps to half of AVX-512's width by itself; our kernels do not
COMPILERS = ("clang", "cc")  # clang is what is meant; another only shows that the twin is right


def compiler() -> str | None:
    return next((name for name in COMPILERS if shutil.which(name)), None)


def version(name: str) -> str:
    return subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Twin:
    """The functions of twin.c, each on a record of ours."""

    def __init__(self, library: ctypes.CDLL, n: Sizes) -> None:
        self._library = library
        library.bytes.restype = ctypes.c_int64
        if library.bytes() != (ours := state(n).dtype.itemsize):
            raise RuntimeError(f"twin.c: its record has {library.bytes()} bytes, ours has {ours}")

    def run(
        self,
        rows: NDArray[np.void],
        x: NDArray[np.float32],
        label: NDArray[np.float32],
        said: NDArray[np.float32],
        every: int,
        begin: int,
        end: int,
    ) -> None:
        self._library.run(*map(_pointer, (rows, x, label, said)), *map(ctypes.c_int64, (every, begin, end)))

    def repeat(
        self, rows: NDArray[np.void], kept: NDArray[np.void], label: NDArray[np.float32], which: int, times: int
    ) -> None:
        self._library.repeat(*map(_pointer, (rows, kept, label)), *map(ctypes.c_int64, (which, times)))


@cache
def compiled(name: str, n: Sizes, more: Sequence[str] = ()) -> Twin:
    """By the compiler of that name; what it says against it, if it cannot."""
    H, D, L, K, B = n
    macros = [f"-D{key}={value}" for key, value in zip("HDLKBP", (H, D, L, K, B, n.weights), strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        parts, target = (str(Path(folder) / file) for file in ("twin.o", "twin.so"))
        _run([name, *FLAGS, *more, *macros, "-fPIC", "-c", "-o", parts, str(SOURCE)])
        # without -ffast-math: linked with it, the library would set the whole process to treat small numbers as zero
        _run([name, "-shared", "-o", target, parts, "-lm"])
        return Twin(ctypes.CDLL(target), n)


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{ran.stderr}")


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
