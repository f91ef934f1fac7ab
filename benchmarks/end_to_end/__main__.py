"""The command: everything in one run, ratios first."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.end_to_end import profile
from benchmarks.end_to_end.contenders import Daemon, Nothing
from benchmarks.end_to_end.drained import drained, fill
from benchmarks.end_to_end.paced import paced
from tests.system.servers import Mosquitto

LEADS = [1, 3, 12, 24]
WARM = 60  # readings of each series before anything is measured: they open it, and fill what is learned from
# Without it the broker keeps small packets back for up to 40 ms, whoever takes them.
AT_ONCE = "set_tcp_nodelay true"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.end_to_end",
        description="Messages in, forecasts out, through a real mosquitto, durable, beside a paho client that does "
        "nothing.",
    )
    parser.add_argument("--presets", default="tiny,fleet")
    parser.add_argument("--versions", default="5", help="of MQTT: 5,3.1.1")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=60_000, help="that the broker holds, a round")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many, interleaved; 0: nothing is drained")
    parser.add_argument("--rates", default="1000,10000", help="messages a second; '' for none")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each rate")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; else the temporary one's")
    parser.add_argument("--json", type=Path, help="the same figures to this file")
    parser.add_argument("--profile", action="store_true", help="where the daemon's time goes; needs py-spy")
    given = parser.parse_args(arguments)
    found: dict[str, Any] = {"machine": machine(), "given": {k: str(v) for k, v in vars(given).items()}}
    print(found["machine"], flush=True)
    for preset in given.presets.split(","):
        found[preset] = measured(given, {"preset": preset}, LEADS)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def measured(given: argparse.Namespace, model: dict[str, object], leads: list[int]) -> dict[str, Any]:
    """All that is asked for, of one model."""
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        with Mosquitto(folder / "broker", settings=AT_ONCE) as server:
            versions = given.versions.split(",")
            daemons = [Daemon(folder / f"daemon-{v}", server.port, model, given.series, v, leads) for v in versions]
            for daemon in daemons:
                warm_up(daemon, server.port, given.series)
            print(f"\n{model}, {given.series} series, leads {leads}", flush=True)
            begin = WARM * given.series
            if given.profile:
                fill(server.port, given.series, begin, given.messages)
                begin += given.messages
                for daemon in daemons:
                    rows, all_us = profile.profile(daemon, given.messages, folder)
                    said[f"profile {daemon.name}"] = [row._asdict() for row in rows]
                    print(f"\n{daemon.name}\n\n{profile.table(rows, all_us)}", flush=True)
                return said
            if given.rounds:
                plain = [Nothing(server.port, v, how) for v in versions for how in ("automatic", "manual")]
                rates = drained(server.port, [*plain, *daemons], given.series, begin, given.messages, given.rounds)
                begin += given.messages * given.rounds
                said["drained"] = {name: rate._asdict() for name, rate in rates.items()}
                for daemon, v in zip(daemons, versions, strict=True):
                    best = max(rates[each.name].messages_s for each in plain if f"MQTT {v}" in each.name)
                    print(f"drained, MQTT {v}: {rates[daemon.name].messages_s / best:.0%} of paho doing nothing")
                for name, rate in rates.items():
                    cpu = f", {rate.cpu_us:.0f} µs of CPU each" if rate.cpu_us else ""
                    print(f"  {name}: {rate.messages_s:,.0f} messages/s{cpu}", flush=True)
            said["paced"] = []
            fastest = said["drained"][daemons[0].name]["messages_s"] if given.rounds else float("inf")
            for rate in map(int, filter(None, given.rates.split(","))):
                if rate > fastest:
                    print(f"paced, {rate:,}/s: more than it takes when drained")
                    continue
                daemons[0].start()
                daemons[0].settle()
                one = paced(server.port, daemons[0], given.series, begin, rate, given.seconds)
                begin += round(rate * given.seconds)
                said["paced"].append({**one._asdict(), "resident": daemons[0].resident_bytes()})
                daemons[0].end()
                print(
                    f"paced, {one.sent_s:,.0f}/s: p50 {one.p50_ms:.1f} ms, p99 {one.p99_ms:.1f} ms, "
                    f"p999 {one.p999_ms:.1f} ms, {one.answered:.1%} answered, {one.cpu:.0%} of a core, "
                    f"{said['paced'][-1]['resident'] / 2**20:.0f} MiB",
                    flush=True,
                )
    return said


def warm_up(daemon: Daemon, port: int, series: int) -> None:
    """Its first start, and the first readings of all series; from then on the broker keeps its session."""
    daemon.start()
    fill(port, series, 0, WARM * series)
    daemon.wait(WARM * series)
    daemon.end()


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    versions = " ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "numba", "orjson"))
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()} {versions}"
    )


if __name__ == "__main__":
    main()
