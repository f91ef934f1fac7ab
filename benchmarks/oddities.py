"""Series made for `benchmarks/anomalies.py`: everyday backgrounds, and what goes wrong on them, with its place known.

`make(background, seed)` gives hourly values and the events in them; every one is a function of its arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY, WEEK = 24, 168  # rows
ROWS, QUIET, APART = 6000, 1500, 500  # of a series; before its first event; between events at least
EVENTS = 6


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    begin: int  # row
    end: int  # the first row that is usual again, or for a lasting change that a person has got used to


@dataclass(slots=True)
class Place:
    """Where something goes wrong."""

    dice: np.random.Generator
    y: Floats  # (rows,), as it is made
    clean: Floats  # (rows,), as it would have been
    at: int  # row
    spread: float  # between the 10 and the 90 % quantile


@dataclass(frozen=True, slots=True)
class Made:
    name: str
    y: Floats
    events: tuple[Event, ...]


def make(background: str, seed: int, *, rows: int = ROWS, events: int = EVENTS) -> Made:
    """One series. Its events' kinds are drawn without repetition from those that show on such a background."""
    dice = np.random.default_rng([seed, *background.encode()])
    clean = BACKGROUNDS[background](dice, rows)
    spread = float(np.subtract(*np.quantile(clean, (0.9, 0.1))))
    kinds = dice.permutation([k for k in KINDS if background in SHOWS.get(k, BACKGROUNDS)])
    room = (rows - QUIET) // max(events, 1)
    y, found = clean.copy(), []
    for i, kind in enumerate(kinds[:events]):
        begin = QUIET + i * room + int(dice.integers(0, max(1, room - APART)))
        place = Place(dice, y, clean, begin, spread)
        end = KINDS[kind](place)
        found.append(Event(str(kind), place.at, end))
    if background in ROUNDED:
        y = np.round(y, ROUNDED[background])
    return Made(f"{background} {seed}", y, tuple(found))


# backgrounds: (dice, rows) -> values


def _autoregressive(dice: np.random.Generator, rows: int, keep: float) -> Floats:
    """AR(1) with unit deviation."""
    out, x = np.empty(rows), 0.0
    for i, shock in enumerate(dice.normal(0, np.sqrt(1 - keep**2), rows)):
        x = keep * x + shock
        out[i] = x
    return out


def _demand(dice: np.random.Generator, rows: int) -> Floats:
    """People: two humps a day, less at the weekend, noise in proportion."""
    t = np.arange(rows)
    hour, day = t % DAY, t // DAY % 7
    humps = 0.15 + np.exp(-(((hour - 9) / 3.0) ** 2)) + 1.3 * np.exp(-(((hour - 19) / 3.5) ** 2))
    level = 1000 * humps * np.where(day >= 5, 0.7, 1.0) * np.exp(0.08 * _autoregressive(dice, rows, 0.97))
    return level * np.exp(dice.normal(0, 0.05, rows))


def _temperature(dice: np.random.Generator, rows: int) -> Floats:
    """Weather outside: a day's wave over slow weather over a part of the year."""
    t = np.arange(rows)
    wave = 4 * np.sin(2 * np.pi * (t - 9) / DAY) + 8 * np.sin(2 * np.pi * t / (365 * DAY))
    return 12 + wave + 4 * _autoregressive(dice, rows, 0.99) + 0.3 * dice.normal(0, 1, rows)


def _room(dice: np.random.Generator, rows: int) -> Floats:
    """A heated room: near its set point, lower at night, windows opened at odd times, rounded to tenths."""
    hour = np.arange(rows) % DAY
    goal = np.where((hour >= 6) & (hour < 22), 21.0, 18.0)
    out, x = np.empty(rows), 18.0
    for i in range(rows):
        x += 0.4 * (goal[i] - x) + dice.normal(0, 0.15) - (dice.random() < 0.03) * dice.exponential(0.7)
        out[i] = x
    return out


def _latency(dice: np.random.Generator, rows: int) -> Floats:
    """Response times: heavy to the right, calm and rough hours."""
    calm = np.exp(0.5 * _autoregressive(dice, rows, 0.95))
    return 100 + 20 * calm * dice.gamma(1.5, 1.0, rows) + 30 * calm * (dice.pareto(3, rows))


def _counter(dice: np.random.Generator, rows: int) -> Floats:
    """Few events an hour, more by day: small whole numbers."""
    hour = np.arange(rows) % DAY
    return dice.poisson(2 + 4 * ((hour >= 8) & (hour < 20)) * np.exp(0.3 * _autoregressive(dice, rows, 0.9))) * 1.0


def _wander(dice: np.random.Generator, rows: int) -> Floats:
    """A tank's level or a price: a random walk on a long leash."""
    return 50 + 10 * _autoregressive(dice, rows, 0.995)


def _cycle(dice: np.random.Generator, rows: int) -> Floats:
    """A machine with a cycle of its own, of 17 rows, of which it rests eight."""
    phase = np.cumsum(1 + dice.normal(0, 0.02, rows)) % 17
    return np.where(phase < 9, 80 + 3 * dice.normal(0, 1, rows), 5 + 0.5 * dice.normal(0, 1, rows))


def _steady(dice: np.random.Generator, rows: int) -> Floats:
    """A mains voltage: white noise, rounded."""
    return 230 + 1.5 * dice.normal(0, 1, rows) + _autoregressive(dice, rows, 0.8)


BACKGROUNDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "demand": _demand,
    "temperature": _temperature,
    "room": _room,
    "latency": _latency,
    "counter": _counter,
    "wander": _wander,
    "cycle": _cycle,
    "steady": _steady,
}
ROUNDED = {"demand": 0, "temperature": 1, "room": 1, "latency": 1, "counter": 0, "wander": 2, "cycle": 1, "steady": 1}

# what goes wrong: place -> end; its y is changed


def _spike(on: Place) -> int:
    on.y[on.at] += on.spread * on.dice.uniform(2.0, 4.0)
    return on.at + 1


def _dropout(on: Place) -> int:
    end = on.at + int(on.dice.integers(3, 12))
    on.y[on.at : end] = min(0.0, on.clean.min() - on.spread)
    return end


def _shift(on: Place) -> int:
    on.y[on.at :] += on.spread * on.dice.uniform(1.5, 2.5)
    return on.at + DAY


def _stuck(on: Place) -> int:
    end = on.at + int(on.dice.integers(2 * DAY, 4 * DAY))
    on.y[on.at : end] = on.y[on.at]
    return end


def _burst(on: Place) -> int:
    end = on.at + int(on.dice.integers(DAY, 2 * DAY))
    on.y[on.at : end] += on.spread * on.dice.normal(0, 0.8, end - on.at)
    return end


def _drift(on: Place) -> int:
    """A sensor that runs away over four days and is put right."""
    end = on.at + 4 * DAY
    on.y[on.at : end] += on.spread * 3.0 * np.linspace(0, 1, end - on.at)
    return end


def _wrong_hour(on: Place) -> int:
    """Usual values at an unusual time: what belongs to the other half of the cycle, for half a day to a day."""
    end = on.at + int(on.dice.integers(DAY // 2, DAY))
    on.y[on.at : end] += on.clean[on.at - DAY // 2 : end - DAY // 2] - on.clean[on.at : end]
    return end


def _holiday(on: Place) -> int:
    """A whole day at half the usual."""
    on.at -= on.at % DAY
    low = on.clean[: on.at].min()
    on.y[on.at : on.at + DAY] -= 0.5 * (on.clean[on.at : on.at + DAY] - low)
    return on.at + DAY


def _faster(on: Place) -> int:
    """Twice the pace for three days."""
    end = on.at + 3 * DAY
    on.y[on.at : end] += on.clean[on.at - 3 * DAY : end][::2][: end - on.at] - on.clean[on.at : end]
    return end


KINDS: dict[str, Callable[[Place], int]] = {
    "spike": _spike,
    "dropout": _dropout,
    "shift": _shift,
    "stuck": _stuck,
    "burst": _burst,
    "drift": _drift,
    "wrong hour": _wrong_hour,
    "holiday": _holiday,
    "faster": _faster,
}
SHOWS = {  # the kinds that nobody could see elsewhere
    "wrong hour": ("demand",),
    "holiday": ("demand",),
    "faster": ("demand", "cycle", "temperature"),
    "burst": ("demand", "temperature", "room", "counter", "wander", "steady", "cycle"),
    "drift": ("demand", "temperature", "room", "steady", "latency", "counter"),
    "stuck": ("demand", "temperature", "room", "latency", "wander", "cycle", "steady"),
}
