"""So many messages a second, and how long the forecast after each takes to come back to who sent it."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from benchmarks.end_to_end.contenders import Daemon
from benchmarks.end_to_end.readings import readings
from benchmarks.end_to_end.wire import Wire

GRACE_S = 5.0  # for the last forecasts
TURN_S = 0.0005  # readings that are due within it go out together
_ORIGIN = b'"origin":"'


class Paced(NamedTuple):
    rate: int  # messages a second, asked for
    sent_s: float  # messages a second, sent
    answered: float  # share whose forecast came
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu: float  # share of a core


def paced(port: int, daemon: Daemon, series: int, begin: int, rate: int, seconds: float) -> Paced:
    """Send readings from the `begin`th on; the daemon must be there."""
    due = list(readings(series, begin, round(rate * seconds)))
    sent_s: dict[tuple[str, str], float] = {}
    took_s: list[float] = []
    # Two connections, as two devices have: on a single one the forecast may wait behind the answer to its reading.
    with Wire(port, "meter-out") as out, Wire(port, "meter-in", "streamlstm/+/+/forecast") as wire:
        for _ in range(series):  # what the broker keeps of old forecasts
            if not wire.received(0.2):
                break
        cpu_s, began_s = daemon.cpu_s(), time.perf_counter()
        sending_s = spent_s = np.nan
        next_, now_s, ends_s = 0, began_s, began_s + seconds + GRACE_S
        while now_s < ends_s and (next_ < len(due) or sent_s):
            until = min(len(due), int((now_s - began_s) * rate) + 1)
            if until > next_:
                going = due[next_:until]
                sent_s.update(dict.fromkeys((one.answer for one in going), time.perf_counter()))
                out.send([(one.topic, one.payload) for one in going])
                next_ = until
                if next_ == len(due):
                    sending_s, spent_s = time.perf_counter() - began_s, daemon.cpu_s() - cpu_s
            wait_s = began_s + next_ / rate - time.perf_counter() if next_ < len(due) else 0.1
            out.received(0.0)  # answers to the readings
            came = wire.received(max(TURN_S, wait_s))
            now_s = time.perf_counter()
            for topic, payload in came:
                at = payload.find(_ORIGIN) + len(_ORIGIN)
                origin = payload[at : payload.index(b'"', at)].decode()
                if (asked_s := sent_s.pop((topic, origin), None)) is not None:
                    took_s.append(now_s - asked_s)
    p50, p99, p999 = np.percentile(took_s, (50, 99, 99.9)) * 1e3 if took_s else (np.nan,) * 3
    return Paced(
        rate, len(due) / sending_s, len(took_s) / len(due), float(p50), float(p99), float(p999), spent_s / sending_s
    )
