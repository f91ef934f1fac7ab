"""What the scripts in this folder share. They run in environments of their own: nothing of ours is imported here.

    python SCRIPT

A script says what it can do, one line of JSON: {"versions": …, "rows": […]}. Then, for each line that comes, the name
of a row, it does that for a while and answers {"us_per_observation": …}, in processor time of the whole process. So
runs of several scripts can take turns.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

HIDDEN, INPUTS, LEADS, STEPS = 32, 8, 8, 16  # as sizes.PLAIN
RATE, CLIP = 1e-3, 1.0


def serve(packages: list[str], rows: Mapping[str, Callable[[], int]]) -> None:
    """rows: for each, what does one piece of work and returns how many observations that was."""
    versions = {"python": platform.python_version(), **{package: version(package) for package in packages}}
    print(json.dumps({"versions": versions, "rows": list(rows)}), flush=True)
    for line in sys.stdin:
        name, seconds = line.split("\t")
        work, done = rows[name], 0
        work()  # compiles, fills windows, warms caches
        began_s = time.process_time()
        while (took_s := time.process_time() - began_s) < float(seconds) or not done:
            done += work()
        print(json.dumps({"us_per_observation": 1e6 * took_s / done}), flush=True)
