"""Others' updates, each in an environment of its own under one folder, as processes that take turns with ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

APART = Path(__file__).parent / "apart"
ENVIRONMENTS = {"torch": ("torch", "numpy"), "jax": ("jax",), "deep-river": ("deep-river",)}  # name, what pip installs
SCRIPTS = {
    "torch_lstm.py": "torch",
    "jax_lstm.py": "jax",
    "deep_river_lstm.py": "deep-river",
    "river_models.py": "deep-river",  # it comes with river
}


def make(folder: Path, name: str, say: IO[str]) -> None:
    """An environment that is not there yet. pip's own settings hold: an index without CUDA spares gigabytes."""
    home = folder / name
    print(f"making {home} ({', '.join(ENVIRONMENTS[name])})", file=say, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    install = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", *ENVIRONMENTS[name]]
    if (ran := subprocess.run(install, capture_output=True, text=True)).returncode:
        raise RuntimeError(f"{' '.join(install)}:\n{ran.stderr}")


class Peer:
    """A script that answers, line by line: see apart/rounds.py."""

    def __init__(self, python: Path, script: str) -> None:
        self._process = subprocess.Popen(
            [str(python), str(APART / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin and self._process.stdout, "both are pipes"
        self._asked, self._answers, self._script = self._process.stdin, self._process.stdout, script
        hello = self._read()
        self.versions: dict[str, str] = hello["versions"]
        self.rows: list[str] = hello["rows"]

    def us_per_observation(self, row: str, seconds: float) -> float:
        self._asked.write(f"{row}\t{seconds}\n")
        self._asked.flush()
        return float(self._read()["us_per_observation"])

    def _read(self) -> dict[str, object]:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self._script} ended with {self._process.wait()}; what it said is above")
        found: dict[str, object] = json.loads(line)
        return found

    def close(self) -> None:
        self._asked.close()
        self._process.wait()
        self._answers.close()


@contextmanager
def started(folder: Path, names: Sequence[str], say: IO[str]) -> Iterator[list[Peer]]:
    """Those whose environment has one of these names; it is made where it is not there."""
    with ExitStack() as stack:
        found = []
        for script, name in SCRIPTS.items():
            if name in names:
                if not (folder / name / "bin" / "python").exists():
                    make(folder, name, say)
                found.append(Peer(folder / name / "bin" / "python", script))
                stack.callback(found[-1].close)
        yield found
