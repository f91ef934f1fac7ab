"""Machine code that was just compiled and the same from the cache give the same bytes: a restart changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# as long, and with as many series, as it took to see the last bit of a norm differ
LIFE = """
import sys
from itertools import islice
from pathlib import Path
from streamlstm.config import load
from tests.faults.under_load import CONFIG, digest, observations, opened

file = Path(sys.argv[1])
file.write_text(CONFIG.format(url="mqtt://nobody", state="none"))
engine, said = opened(load(file, {})), observations(12_000)
while some := list(islice(said, 100)):
    engine.feed(some)
print(digest(engine))
"""


def test_a_start_that_compiles_and_one_that_does_not_come_to_the_same_bytes(tmp_path):
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", LIFE, str(tmp_path / "config.toml")]
    ran = [subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True) for _ in range(2)]
    assert ran[0].returncode == 0, ran[0].stderr[-2000:]
    assert ran[0].stdout == ran[1].stdout and len(ran[0].stdout.strip()) == 64
    assert any(tmp_path.rglob("*.nbc"))  # there was something to compile
