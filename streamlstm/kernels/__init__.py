"""Arithmetic on arrays, compiled by numba, and nothing else: no state of their own, no clock, no dice.

Every kernel takes its state and scratch as arguments and answers to a slow float64 twin in `tests/reference.py`.

Numba's disk cache looks at the file of the function itself, not at the files of the functions it calls, and would go on
running old arithmetic after an edit elsewhere. So its folder is named by a digest of all compiled sources and of the
versions that shape the machine code. That must happen before the first decorator runs, hence here.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Any

import numba
from numba.core.codegen import get_host_cpu_features
from numba.core.registry import cpu_target

KERNEL_REVISION = 5  # goes up with every change of arithmetic; part of every payload's model_rev

_PACKAGE = Path(__file__).parents[1]
_ROOMS = (_PACKAGE / "kernels", _PACKAGE / "model")
_VERSIONS = {package: version(package) for package in ("numba", "llvmlite", "numpy")}


def _digest(sources: Iterable[Path]) -> str:
    digest = blake2b(digest_size=8)
    for source in sources:
        digest.update(source.read_bytes())
    for found in _VERSIONS.values():
        digest.update(found.encode())
    return digest.hexdigest()


SOURCE_DIGEST = _digest(source for room in _ROOMS for source in sorted(room.glob("*.py")))


def _cache_folder(wished: str) -> Path:
    """Where machine code is kept between starts; where nothing can be written, for this process. Private: it is run."""
    try:
        folder = (Path(wished) if wished else Path.home() / ".cache" / "streamlstm") / SOURCE_DIGEST
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return Path(mkdtemp(prefix="streamlstm-"))


_settings: Any = numba.config
_settings.CACHE_DIR = str(_cache_folder(_settings.CACHE_DIR))


def forget_compiled() -> None:
    """Throw away what is kept between starts: a full disk or a power cut may have left a piece that cannot be read."""
    for file in Path(_settings.CACHE_DIR).rglob("*.nb[ic]"):
        file.unlink(missing_ok=True)


def _cpu_features() -> str | None:
    """AVX-512 in full where there is any: LLVM keeps to half its width on most CPUs, and our loops are long enough."""
    if _settings.CPU_FEATURES is not None or _settings.CPU_NAME is not None:
        return _settings.CPU_FEATURES
    features = get_host_cpu_features()
    return f"{features},-prefer-256-bit" if "+avx512f" in features.split(",") else None


_settings.CPU_FEATURES = _cpu_features()

# What may be reordered without touching NaN guards: `fastmath=True` would make isfinite() always true.
FLAGS = {"contract", "nsz", "arcp", "afn"}

# Without `_nrt` no references to arrays are counted: the caller holds on to its arrays until the call returns, and
# nothing is allocated in here, but by `sorting`; any other kernel that allocates does not compile. Counting references,
# up and down and atomically for every view, took a third of the time.
COMMON: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def fingerprint() -> dict[str, str]:
    """This build: all that decides which machine code the kernels become, and whose sources they are.

    The same fingerprint computes the same to the last bit. Another one may do so, too: `streamlstm.golden` finds out.
    """
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    settings = {name: getattr(_settings, name) for name in ("DISABLE_JIT", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")}
    return {
        "revision": str(KERNEL_REVISION),
        **_VERSIONS,
        "libc": " ".join(platform.libc_ver()),  # logarithms come from there
        "flags": " ".join([*sorted(FLAGS), *[f"{name}={value}" for name, value in (COMMON | settings).items()]]),
        "target": triple,
        "cpu": cpu,
        "features": features,
        "sources": _digest(sorted(_PACKAGE.rglob("*.py"))),
    }


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that is inlined into its caller, so that the caller's constant sizes reach its loops."""
    return numba.njit(fastmath=FLAGS, forceinline=True, **COMMON)(function)


def stage(function: Callable[..., Any]) -> Any:
    """Compile a function that stays a function: one that is long, or called from two places.

    Its sizes are constants all the same where they come from the types of its arguments: the fixed shapes of records.
    """
    return numba.njit(fastmath=FLAGS, cache=True, **COMMON)(function)


def reduction(function: Callable[..., Any]) -> Any:
    """The same for sums whose order is free: these only vectorise when they may be reassociated."""
    return numba.njit(fastmath=FLAGS | {"reassoc"}, forceinline=True, **COMMON)(function)


def sorting(function: Callable[..., Any]) -> Any:
    """A stage that sorts: numba's sort allocates a stack of its own, and needs the counts."""
    return numba.njit(fastmath=FLAGS, cache=True, **COMMON | {"_nrt": True})(function)
