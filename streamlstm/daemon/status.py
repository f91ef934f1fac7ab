"""What the engine's thread tells the others, once a second: one immutable copy, replaced whole."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from streamlstm.member import Report


@dataclass(frozen=True, slots=True)
class Connection:
    """How it stands between us and the broker."""

    connected: bool = False
    reconnects: int = 0  # connections made after the first
    received: int = 0  # messages, taken from the inbox; those that still wait are `queue_depth`
    why: str = "not connected yet"  # for a person; empty while connected, subscribed and uncontested
    dropped: int = 0  # QoS 0 messages that a full inbox turned away
    unpublished: int = 0  # publications that gave way to newer ones without a broker, or that it refused
    errors: int = 0  # faults of our own in the network thread


@dataclass(frozen=True, slots=True)
class Status:
    """Read by http, metrics, page and the bridge's health topic."""

    version: str
    started_ns: int
    time_ns: int  # when this copy was made
    connection: Connection
    ready: bool  # connected, subscribed, kernels compiled
    why: str  # what readiness waits for; empty when ready
    queue_depth: int  # messages waiting in the inbox
    oldest_unacknowledged_s: float
    lag_s: float  # from the newest message's receipt to its forecast's publication
    published: int  # forecasts
    lag_buckets: tuple[int, ...]  # observation_lag_seconds, cumulative counts over LAG_BOUNDS
    lag_sum: float
    learn_buckets: tuple[int, ...]  # learn_duration_seconds per batch, over LEARN_BOUNDS
    learn_sum: float
    report: Report
    state_bytes: int = 0  # on the disk; 0: nothing survives
    snapshot_age_s: float = nan  # since the oldest series' snapshot; NaN: there is none yet
    replays_exactly: bool | None = None  # what was recovered is as it was, to the last bit; None: nothing survives
    reloads: tuple[int, int] = (0, 0)  # of the configuration: applied, refused
    requests: tuple[int, int] = (0, 0)  # over MQTT: done, refused
    fault: str = ""  # of a thread that we need; empty: none is known


LAG_BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)  # seconds
LEARN_BOUNDS = (0.00005, 0.0002, 0.001, 0.005, 0.025, 0.1, 0.5)  # seconds
