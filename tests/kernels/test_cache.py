"""Where compiled code is kept, that a machine without a place for it is no reason to fail, what does not compile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError

from streamlstm.kernels import kernel
from tests.kernels import needs_compiler

SAY = "import numba, streamlstm.kernels as k; print(numba.config.CACHE_DIR); print(k.SOURCE_DIGEST)"


def said(**changed: str) -> tuple[Path, str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "HOME")}
    ran = subprocess.run(
        [sys.executable, "-c", SAY], env=environment | changed, capture_output=True, text=True, check=True
    )
    folder, digest = ran.stdout.split()
    return Path(folder), digest


def test_the_folder_is_private_and_named_by_the_sources(tmp_path: Path) -> None:
    folder, digest = said(HOME=str(tmp_path))
    assert folder == tmp_path / ".cache" / "streamlstm" / digest
    assert folder.stat().st_mode & 0o077 == 0


def test_numbas_own_setting_is_heeded(tmp_path: Path) -> None:
    folder, digest = said(NUMBA_CACHE_DIR=str(tmp_path))
    assert folder == tmp_path / digest


@pytest.mark.parametrize("home", ["/dev/null", "/proc/nothing"])
def test_without_a_writable_place_it_goes_to_a_private_one_for_this_process(home: str, tmp_path: Path) -> None:
    folder, _ = said(HOME=home, TMPDIR=str(tmp_path))
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0


@needs_compiler
def test_a_kernel_that_allocates_does_not_compile() -> None:
    @kernel
    def allocating(n: int) -> float:
        return np.ones(n)[0]

    with pytest.raises(TypingError, match="ones"):
        allocating(3)
