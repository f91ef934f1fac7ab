"""Where and with what a benchmark ran: the processor, how busy the machine was, the versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.kernel import twin


def about() -> dict[str, str]:
    name = twin.compiler()
    return {
        "machine": f"{_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "load before": "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg()),
        "python": platform.python_version(),
        **{package: version(package) for package in ("numba", "llvmlite", "numpy")},
        "compiler": f"{twin.version(name)}, {' '.join(twin.FLAGS)}" if name else "none",
    }


def _model() -> str:
    """Linux says it here; elsewhere Python knows something."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text(encoding="utf-8").splitlines() if found.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()
