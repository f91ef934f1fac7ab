"""The finding of periods again, slowly, with NumPy's own transform; the settings are the kernels'.

Written from what the docstrings of `kernels/lines.py` and `kernels/periods.py` say, a formula a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, factorial, log

import numpy as np

from streamlstm.kernels import lines as of_lines
from streamlstm.kernels import periods as of_periods
from tests.reference import Floats


def straighten(y: Floats, real: Floats) -> Floats:
    """Straight lines between the real values, level beyond the first and the last."""
    at = np.flatnonzero(real)
    return np.interp(np.arange(len(y)), at, y[at])


def calm(y: Floats) -> Floats:
    d = np.diff(y)
    sizes = np.sort(np.abs(d[d != 0]))
    if len(sizes) == 0:
        return y
    most = of_periods.WILD * sizes[len(sizes) // 2]
    return y[0] + np.concatenate([[0], np.cumsum(np.clip(d, -most, most))])


def spectrum(y: Floats, N: int) -> Floats:
    """Of the differences, tapered by Hann's window as long as the series, padded with zeros to N."""
    d = np.append(np.diff(y), 0)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(d)) / len(d))
    return np.abs(np.fft.rfft(d * hann, N)) ** 2


def colour(theta: float, frequency: Floats | float) -> Floats:
    """|1 − θ exp(−2πif)|²."""
    return np.abs(1 - theta * np.exp(-2j * np.pi * np.asarray(frequency))) ** 2


def flattened(spectrum: Floats, width: float) -> Floats:
    top = len(spectrum) - 1
    lowest = int(of_lines.TREND * width)
    edges = [top]
    while edges[-1] > 8 * width and len(edges) <= 16:
        edges.append(max(edges[-1] // 2, lowest))
    octaves = [np.sort(spectrum[a:b]) for b, a in pairwise(edges)]
    floors = np.log([o[int(of_lines.QUANTILE * len(o))] for o in octaves])
    middles = np.array([0.75 * (top // 2**o) / (2 * top) for o in range(len(octaves))])
    trials = [*(1 - 0.5**t for t in range(10)), 1.0]
    theta = min(trials, key=lambda trial: np.var(floors - np.log(colour(trial, middles))))
    frequency = np.arange(top + 1) / (2 * top)
    white = spectrum.copy()
    white[1:] /= colour(theta, frequency[1:])

    knots, heights, at = [], [], of_lines.TREND * width
    least = int(2 * of_lines.NEIGHBOURS[0] * width)
    while True:
        reach = max(of_lines.NEIGHBOURS[0] * width, of_lines.NEIGHBOURS[1] * at)
        a = max(lowest, int(at - reach))
        b = min(top, max(int(at + reach), a + least))
        a = max(lowest, min(a, b - least))
        near = np.sort(white[a : b + 1 : 1 + (b - a) // of_lines.SAMPLED])
        knots.append(at)
        heights.append(near[int(of_lines.QUANTILE * len(near))] / -log(1 - of_lines.QUANTILE))
        if at >= top:
            break
        at = min(top, at + max(2 * width, 0.05 * at))
    floor = np.interp(np.arange(top + 1), knots, heights)
    flat = white / np.maximum(floor, of_lines.DEEP * white[lowest:].max())
    flat[: lowest + 1] = 0
    return flat


def tail(h: int, s: float) -> float:
    """−ln P(sum of h exponential variables > s), Erlang's distribution; s up to some hundreds."""
    return s - log(sum(s**i / factorial(i) for i in range(h)))


def best_line(lines: Floats, lowest: float) -> tuple[float, float]:
    top = len(lines) - 1
    found = (0.0, 0.0)
    for H in of_lines.SUMS:
        js = np.arange(ceil(lowest * H), top + 1)
        if len(js) == 0:
            continue
        sums = sum(lines[np.floor(js * (h / H) + 0.5).astype(int)] for h in range(1, H + 1))
        odds = tail(H, float(sums.max())) - log(H)
        if odds > found[1]:
            found = (js[int(np.argmax(sums))] / H, odds)
    return found


def sharpen(lines: Floats, f: float, width: float) -> float:
    """The f that makes Σ w_h (x_h − h f)² least, by NumPy's least squares."""
    top = len(lines) - 1
    hs, xs, ws = [], [], []
    for h in range(1, of_lines.MOST + 1):
        if h * f + width + 1 >= top:
            break
        places = range(max(1, int(h * f - 0.7 * width + 0.5)), int(h * f + 0.7 * width + 0.5) + 1)
        at = max(places, key=lambda i: lines[i])
        if lines[at] > of_lines.CLEAR and lines[at] >= max(lines[at - 1], lines[at + 1]):
            p2, p1, _ = np.polyfit([-1, 0, 1], np.log(lines[at - 1 : at + 2] + 1e-9), 2)
            hs.append(h)
            xs.append(at + np.clip(-p1 / (2 * p2), -0.5, 0.5))
            ws.append(min(lines[at], 50.0))
    if not hs:
        return f
    root = np.sqrt(ws)
    return float(np.linalg.lstsq((root * hs)[:, None], root * xs, rcond=None)[0][0])


def saves(y: Floats, p: float, q: float, lead: int) -> float:
    n = len(y)
    changes = y[lead:] - y[:-lead] - (y[-1] - y[0]) / (n - 1) * lead
    left = changes - np.nan_to_num(_foretold(changes, q)) if q > 0 else changes
    foretold = _foretold(left, p)
    later = np.arange(lead, n) >= n // 2
    known = np.isfinite(foretold) & later
    without, within = np.abs(left[known]).sum(), np.abs(left - foretold)[known].sum()
    return 1 - within / without if without > 0 else 0.0


def _foretold(changes: Floats, p: float) -> Floats:
    """Each change by the running mean of those at the same place of a period; NaN in the first turn."""
    profile: dict[int, tuple[float, float]] = {}
    out = np.full(len(changes), np.nan)
    for i, c in enumerate(changes):
        place = int(i % p)
        mean, count = profile.get(place, (0.0, 0.0))
        if count > 0:
            out[i] = mean * count / (count + 1)
        profile[place] = (mean + max(of_periods.RATE, 1 / (count + 1)) * (c - mean), count + 1)
    return out


def share(lines: Floats, f: float, m: int) -> float:
    h = np.arange(1, 3 * of_lines.MOST + 1)
    h = h[h * f + 1 < len(lines) - 1]
    x = np.maximum(lines[np.floor(h * f + 0.5).astype(int)] - 4, 0)
    return float(x[h % m == 0].sum() / (x.sum() + 1e-9))


def added(lines: Floats, f: float, m: int, width: float) -> float:
    heights: list[float] = []
    h = 0
    while len(heights) < of_lines.MOST and (h + 1) * f + width / 2 < len(lines) - 1:
        h += 1
        if h % m:
            a, b = int(h * f - width / 2 + 0.5), int(h * f + width / 2 + 0.5)
            heights.append(lines[a : b + 1].max() - 0.7)
    sums = [H for H in (1, 2, 4, 8, 16) if len(heights) >= H]
    odds: Sequence[float] = [tail(H, max(sum(heights[:H]), 0.0)) for H in sums]
    return max([0.0, *odds]) - log(max(len(sums), 1))
