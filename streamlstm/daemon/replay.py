"""Recorded rows, published as if they happened now."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from math import isfinite

import orjson

from streamlstm.codec.encode import rfc3339
from streamlstm.daemon.link import Link
from streamlstm.events import SECOND_NS
from streamlstm.sections import Mqtt

Row = tuple[int, Mapping[str, float | None]]  # time in ns, then column -> value; None or NaN: missing

SLICE_S = 0.05
WAITING = 1000  # rows, of which the link would keep more; fewer than that give way to none


class ReplayError(RuntimeError):
    """The rows could not be published; the message says why."""


def replay(
    rows: Iterable[Row],
    url: str,
    topic: str,
    *,
    speed: float = 1.0,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] | None = None,
    settings: Mqtt | None = None,
    patience_s: float = 15.0,
) -> int:
    """Publish each row as {"time": ..., column: value, ...} with QoS 1 and return how many the broker has.

    Rows are spaced as recorded, `speed` times as fast; 0 or infinity is as fast as the broker takes them. `progress`
    is told the count after each row. A broker that goes away for a while costs no row. `settings` gives login and TLS.
    """
    stop = stop or threading.Event()
    ours = {"url": url, "client_id": f"streamlstm-replay-{secrets.token_hex(4)}"}
    link = Link((settings or Mqtt(url=url)).model_copy(update=ours), (), announces=False)
    link.start()
    try:
        _wait(link, stop, patience_s, lambda: bool(link.epoch))
        count = 0
        for count, (time_ns, values) in enumerate(_paced(rows, speed, stop), 1):
            link.publish(topic, _payload(time_ns, values))
            _wait(link, stop, patience_s, lambda: link.unanswered < WAITING)  # without a broker
            if progress is not None:
                progress(count)
        _wait(link, stop, patience_s, lambda: not link.unanswered)
        return count - link.unanswered
    finally:
        link.stop()
        if link.connection.unpublished:
            raise ReplayError(f"{url} refuses publications to '{topic}': {link.connection.unpublished} of them")


def _paced(rows: Iterable[Row], speed: float, stop: threading.Event) -> Iterable[Row]:
    first_ns: int | None = None
    began_s = time.monotonic()
    for row in rows:
        if first_ns is None:
            first_ns = row[0]
        if speed > 0 and isfinite(speed):
            due_s = began_s + (row[0] - first_ns) / SECOND_NS / speed
            stop.wait(max(0.0, min(due_s - time.monotonic(), threading.TIMEOUT_MAX)))
        if stop.is_set():
            return
        yield row


def _wait(link: Link, stop: threading.Event, patience_s: float, seen: Callable[[], bool]) -> None:
    """Until something is so, or we are stopped. Patience counts while there is no broker."""
    without_s = time.monotonic()
    while not seen() and not stop.is_set():
        link.take(0, 0.0)  # sends what waits for a connection
        if link.epoch:
            without_s = time.monotonic()
        elif time.monotonic() - without_s > patience_s:
            raise ReplayError(link.connection.why)
        stop.wait(SLICE_S)


def _payload(time_ns: int, values: Mapping[str, float | None]) -> bytes:
    return orjson.dumps({"time": rfc3339(time_ns), **values})
