"""Where the daemon's time goes while it drains a queue: its stacks, sampled from outside by py-spy.

Two recordings at once: all samples are wall time, those in which a thread has the GIL are what keeps the others
waiting. A sample belongs to the innermost function that is named below. Of compiled code and system calls, the Python
line that made the call is seen.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.end_to_end.contenders import Daemon

RATE = 250  # samples a second
LOOP = "Daemon._loop (streamlstm/daemon/run.py"
WAITING = "waits for the broker"

# What a frame of py-spy begins with, "function (file", and the part that it is of; of each thread.
ENGINE = {
    "Inbox.": "inbox",
    "Link._sent (": "waits for room at the broker",
    "Link.take": "inbox",
    "Queue.": "inbox",
    "Redelivery.": "repeated deliveries",
    "Decoder.": "decode",
    "Keeper.keep": "journal: numbers, admission",
    "to_bytes (streamlstm/codec/journal": "journal: bytes",
    "entry (streamlstm/codec/journal": "journal: bytes",
    "transaction (streamlstm/store": "journal: commit",
    "Store.append": "journal: commit",
    "Learner._call": "kernels and their arrays",
    "Learner.": "engine, Python",
    "Engine.": "engine, Python",
    "forecast (streamlstm/codec/encode": "encode",
    "is_publishable (streamlstm/codec/encode": "encode",
    "value (streamlstm/codec/encode": "encode",
    "History.": "history of the page",
    "Session.offer": "publish: paho",
    "Link.": "publish: link",
    "Publisher.": "publish: link",
    "Session.acknowledge": "acknowledge",
    "Keeper.sweep": "snapshots",
    "Daemon._tell": "status for the metrics",
    "Keeper.tick": "the clock",
    "Keeper.": "journal: numbers, admission",
    "Daemon.": "the loop",
}
NETWORK = {
    "Inbox.": "into the inbox",
    "Link._receive": "into the inbox",
    "Session._on_message": "into the inbox",
    "Session._on_publish": "answers to publications",
    "Client._do_on_publish": "answers to publications",
    "Client._handle_pubackcomp": "answers to publications",
    "Client._handle_publish": "paho: a message",
    "Client._packet_read": "paho: reading",
    "Client.loop_read": "paho: reading",
    "Client._packet_write": "paho: writing",
    "Client.loop_write": "paho: writing",
    "Client._loop (": WAITING,
    "Client.": "paho: the rest",
}


class Row(NamedTuple):
    thread: str
    part: str
    wall_us: float  # a message
    gil_us: float


def profile(daemon: Daemon, count: int, folder: Path) -> tuple[list[Row], float]:
    """Drain `count` messages that the broker holds; the table, and the microseconds of a message."""
    program = shutil.which("py-spy")
    if program is None:
        raise SystemExit("no py-spy on the PATH; need it for --profile: pip install py-spy")
    spies: list[subprocess.Popen[bytes]] = []
    files = {"wall": folder / "wall.raw", "gil": folder / "gil.raw"}

    def begin() -> None:
        for name, more in (("wall", "--idle"), ("gil", "--gil")):
            command = [program, "record", "-p", str(daemon.pid), "-r", str(RATE), "-d", "600", "-t", "-f", "raw"]
            command += ["-o", str(files[name]), more]
            spies.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def end() -> None:
        for spy in spies:
            spy.send_signal(signal.SIGINT)
        for spy in spies:
            spy.wait(60)

    drain = daemon.drain(count, begin, end)
    samples = {name: counted(file.read_text().splitlines()) for name, file in files.items()}
    us = 1e6 / RATE / count
    keys = dict.fromkeys([*samples["wall"], *samples["gil"]])
    rows = [Row(*key, *(samples[name][key] * us for name in files)) for key in keys if key[1] != WAITING]
    return sorted(rows, key=lambda row: (row.thread, -row.wall_us)), 1e6 / drain.messages_s


def counted(lines: Iterable[str]) -> Counter[tuple[str, str]]:
    """Samples by thread and part, from "thread;outermost;...;innermost samples" in each line."""
    found = Counter[tuple[str, str]]()
    for line in lines:
        stack, _, samples = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if any(frame.startswith(LOOP) for frame in frames):
            found["engine", part(frames, ENGINE)] += int(samples)
        elif "paho-mqtt-client" in thread:
            found["out" if thread.endswith("-out") else "in", part(frames, NETWORK)] += int(samples)
    return found


def part(frames: list[str], names: dict[str, str]) -> str:
    for frame in reversed(frames):
        for begins, name in names.items():
            if frame.startswith(begins):
                return name
    return "other"


def table(rows: list[Row], all_us: float) -> str:
    """As Markdown."""
    lines = ["| thread | part | wall, µs a message | of it with the GIL |", "|---|---|---|---|"]
    lines += [f"| {row.thread} | {row.part} | {row.wall_us:.1f} | {row.gil_us:.1f} |" for row in rows]
    for thread in dict.fromkeys(row.thread for row in rows):
        own = [row for row in rows if row.thread == thread]
        wall, gil = sum(row.wall_us for row in own), sum(row.gil_us for row in own)
        lines.append(f"| **{thread}** | all | {wall:.1f} | {gil:.1f} |")
    return "\n".join([*lines, "", f"{all_us:.0f} µs a message from the first to the last, while it was sampled"])
