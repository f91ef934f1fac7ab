"""Where compiled code is kept, that a machine without a place for it is no reason to fail, what does not compile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError

from streamlstm.kernels import kernel
from streamlstm.model.arena import Layout
from streamlstm.model.batch import Learner
from tests.kernels import needs_compiler
from tests.small import STREAM

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


PIECE = """
import sys
sys.path.insert(0, sys.argv[1])
from streamlstm.kernels import forget_compiled
from piece import twice
try:
    print(twice(2.0))
except Exception as error:
    forget_compiled()
    print(type(error).__name__, twice(2.0))
"""


@needs_compiler
@pytest.mark.parametrize("part", ["*.nbi", "*.nbc"])
def test_what_was_kept_and_cannot_be_read_is_thrown_away_and_made_anew_in_the_same_process(
    part: str, tmp_path: Path
) -> None:
    (tmp_path / "piece.py").write_text(
        "from streamlstm.kernels import stage\n\n\n@stage\ndef twice(x):\n    return 2.0 * x\n"
    )

    def run() -> str:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        ran = subprocess.run(
            [sys.executable, "-c", PIECE, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    assert run() == "4.0"
    for file in (tmp_path / "kept").rglob(part):
        file.write_bytes(file.read_bytes()[:20])
    assert run().endswith("Error 4.0")
    assert run() == "4.0"


def test_a_learner_that_cannot_use_what_was_kept_tries_once_more_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    (tmp_path / "a.nbi").write_bytes(b"cut short")
    learner = Learner(STREAM, Layout.of(STREAM, 3_600_000_000_000, True))
    tries: list[bool] = []

    def compile_seeker() -> None:
        tries.append((tmp_path / "a.nbi").exists())
        if tries[-1]:
            raise EOFError("cut short")

    monkeypatch.setattr(learner._seeker, "compile", compile_seeker)
    monkeypatch.setattr(learner, "_call", lambda *_: None)
    learner.compile()
    assert tries == [True, False]
