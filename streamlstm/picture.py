"""What a backtest looked like, as one HTML file that needs nothing else. Measures are in `scores`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import isfinite

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from streamlstm.events import Floats
from streamlstm.scores import OURS, PERSISTENCE, SEASONAL, Pairs, Score, percent, short

SHOWN = 3_000  # newest forecasts in the picture: more would make it slow, and no screen has the pixels
IN_VIEW = 240  # of them at first; the slider under the picture moves the view
POINTS = 600  # of a running error

INK, GRID = "#1b2733", "#e6eaee"
BLUE = "#0b6bcb"
RIVALS = ("#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#7f7f7f", "#56b4e9")  # told apart by colour-blind people too
DASHES = ("dot", "dash", "dashdot", "longdash", "solid", "solid")

STYLE = """
body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#1b2733;background:#fff;max-width:1180px;
margin:2em auto;padding:0 1.2em}
h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:2em 0 .2em}p{margin:.2em 0 1em;color:#52606d}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:1em 0}
th,td{padding:.35em .6em;text-align:right;white-space:nowrap;border-bottom:1px solid #e6eaee}
th{font-weight:600;color:#52606d;vertical-align:bottom}
tr.shown td{background:#f0f6fd}td.good{color:#00704f}td.bad{color:#b5430a}
div.wide{overflow-x:auto}
"""


def page(
    title: str,
    scores: Sequence[Score],
    pairs: Mapping[str, Mapping[int, Pairs]],
    levels: Sequence[float],
    lead: int | None = None,
) -> str:
    """Draw each target at one lead (the middle one if none is chosen), and tabulate all of them."""
    sections = []
    for target, by_lead in pairs.items():
        own = [score for score in scores if score.target == target]
        leads = sorted(by_lead)
        shown = lead if lead is not None and lead in by_lead else leads[len(leads) // 2] if leads else 0
        sections.append(f"<h2>{escape(target)}</h2>")
        if not any(score.n for score in own):
            sections.append("<p>No forecast has met its observation: the series is too short.</p>")
            continue
        for figure in (_forecasts(by_lead[shown], shown, levels), _measures(by_lead[shown], shown, own, levels)):
            sections.append(figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False}))
        words = any(pairs.classes for pairs in by_lead.values())
        sections.append(_table_of_words(own, shown) if words else _table(own, shown))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
        f"<script>{get_plotlyjs()}</script><h1>{escape(title)}</h1>"
        "<p>Every forecast was issued before the value it is about was known. "
        f"All contestants are compared on the same forecasts.</p>{''.join(sections)}</html>\n"
    )


def _forecasts(pairs: Pairs, lead: int, levels: Sequence[float]) -> go.Figure:
    """The newest forecasts and what came; a slider under them moves the view."""
    figure = go.Figure(list(_fan(pairs, levels)))
    _dress(figure, 470, "reversed", f"Observed, and forecast {lead} step{'s' if lead > 1 else ''} before")
    times = pairs.time_ns[-SHOWN:].astype("datetime64[ns]")
    view = [str(times[max(0, len(times) - IN_VIEW)]), str(times[-1])]
    figure.update_xaxes(range=view, rangeslider={"visible": True, "thickness": 0.09})
    if pairs.classes:
        figure.update_yaxes(tickvals=[*range(len(pairs.classes))], ticktext=[escape(word) for word in pairs.classes])
    return figure


def _measures(pairs: Pairs, lead: int, scores: Sequence[Score], levels: Sequence[float]) -> go.Figure:
    """Errors beside the rivals', over time and by lead, and how often the intervals held."""
    ahead = f"{lead} step{'s' if lead > 1 else ''} ahead"
    words = bool(pairs.classes)  # which have no intervals
    measure = "share missed" if words else "mean absolute error"
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, None if words else {}]],
        vertical_spacing=0.16,
        horizontal_spacing=0.08,
        subplot_titles=(
            f"Running {measure}, {ahead}",
            f"{measure.capitalize()} by lead",
            "" if words else "Coverage by lead",
        ),
    )
    for trace in _errors(pairs):
        figure.add_trace(trace, row=1, col=1)
    for trace in _by_lead(scores):
        figure.add_trace(trace, row=2, col=1)
    for trace in () if words else _coverage(scores, levels):
        figure.add_trace(trace, row=2, col=2)
    for level in () if words else levels:
        figure.add_hline(y=level, line={"color": INK, "width": 1, "dash": "dot"}, row=2, col=2)
    _dress(figure, 640, "normal")
    figure.update_xaxes(type="category", title="lead in steps", row=2)
    figure.update_yaxes(rangemode="tozero", row=1)
    figure.update_yaxes(rangemode="tozero", row=2, col=1)
    if words:
        figure.update_yaxes(tickformat=".0%")
    else:
        figure.update_yaxes(tickformat=".0%", row=2, col=2)
    return figure


def _dress(figure: go.Figure, height: int, legend: str, title: str | None = None) -> None:
    figure.update_layout(
        height=height,
        template="none",
        title={"text": title, "font": {"size": 16}, "x": 0.5, "y": 0.97} if title else None,
        font={"family": "system-ui, 'DejaVu Sans', sans-serif", "color": INK, "size": 13},
        margin={"l": 60, "r": 20, "t": 80, "b": 40},
        legend={"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 0.0, "traceorder": legend},
        hovermode="x unified",
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)


def _fan(pairs: Pairs, levels: Sequence[float]) -> Iterator[go.Scatter]:
    """The newest observations over the forecasts that were made for them, the widest interval at the back."""
    newest = slice(-SHOWN, None)
    times = pairs.time_ns[newest].astype("datetime64[ns]")
    shape = "hv" if pairs.classes else "linear"  # from one word to the next there is nothing between
    for q in () if pairs.classes else reversed(range(len(levels))):
        edge = {"width": 0}
        fill = f"rgba(11,107,203,{0.30 if q == 0 else 0.14})"
        yield go.Scatter(x=times, y=pairs.lower[q, newest], line=edge, mode="lines", showlegend=False, hoverinfo="skip")
        yield go.Scatter(
            x=times,
            y=pairs.upper[q, newest],
            line=edge,
            mode="lines",
            fill="tonexty",
            fillcolor=fill,
            name=f"{levels[q]:.0%} interval",
            hoverinfo="skip",
        )
    forecast = pairs.forecasts[OURS][newest]
    yield go.Scatter(
        x=times, y=forecast, name="forecast", mode="lines", line={"color": BLUE, "width": 1.8, "shape": shape}
    )
    ink = {"color": INK, "width": 1.2, "shape": shape}
    yield go.Scatter(x=times, y=pairs.y[newest], name="observed", mode="lines", line=ink)


def _errors(pairs: Pairs) -> Iterator[go.Scatter]:
    """The mean absolute error over a moving window, every contestant on the same pairs."""
    same = pairs.comparable
    times = pairs.time_ns[same].astype("datetime64[ns]")
    if not len(times):
        return
    window = max(1, min(len(times) // 4, max(48, len(times) // 40)))
    picked = np.unique(np.linspace(window - 1, len(times) - 1, POINTS).astype(int))
    for name, forecast in pairs.forecasts.items():
        if np.isnan(forecast[same]).any():
            continue
        error = pairs.error(name)[same]
        total = np.concatenate(([0.0], np.cumsum(error)))
        running = (total[window:] - total[:-window]) / window
        yield go.Scatter(
            x=times[picked], y=running[picked - window + 1], name=name, mode="lines", line=_line(name, pairs.forecasts)
        )


def _by_lead(scores: Sequence[Score]) -> Iterator[go.Scatter]:
    leads = [str(score.lead) for score in scores]
    names = [OURS, *scores[0].rivals]
    for name in names:
        values = [score.mae if name == OURS else score.rivals[name] for score in scores]
        line = _line(name, names)
        yield go.Scatter(x=leads, y=values, name=name, mode="lines+markers", showlegend=False, line=line)


def _coverage(scores: Sequence[Score], levels: Sequence[float]) -> Iterator[go.Scatter]:
    leads = [str(score.lead) for score in scores]
    for level in levels:
        share = [score.coverage[str(level)] for score in scores]
        line = {"color": BLUE, "width": 1.8}
        name = f"of {level:.0%}"
        yield go.Scatter(x=leads, y=share, name=name, mode="lines+markers", showlegend=False, line=line)


def _line(name: str, names: Sequence[str] | Mapping[str, Floats]) -> dict[str, object]:
    place = list(names).index(name)
    if place == 0:
        return {"color": BLUE, "width": 2.4}
    return {"color": RIVALS[(place - 1) % len(RIVALS)], "width": 1.5, "dash": DASHES[(place - 1) % len(DASHES)]}


def _table(scores: Sequence[Score], shown: int) -> str:
    rivals = list(scores[0].rivals)
    levels = list(scores[0].coverage)
    heads = [
        "lead",
        "forecasts",
        "MAE",
        "RMSE",
        "Σ|e|/Σ|y|",
        "skill over<br>persistence",
        "skill over<br>seasonal naive",
    ]
    heads += [f"coverage<br>of {float(level):.0%}" for level in levels]
    heads += [f"MAE<br>{escape(name)}" for name in rivals]
    rows = []
    for s in scores:
        cells = [f"<td>{s.lead}<td>{s.n}<td>{short(s.mae)}<td>{short(s.mse**0.5)}<td>{percent(s.wape)}"]
        cells += [_skill(s.skill(PERSISTENCE)), _skill(s.skill(SEASONAL))]
        cells += [f"<td>{percent(s.coverage[level])}" for level in levels]
        cells += [f"<td>{short(s.rivals[name])}" for name in rivals]
        rows.append(_row(s.lead == shown, cells))
    return _in_html(heads, rows)


def _table_of_words(scores: Sequence[Score], shown: int) -> str:
    """Of a category: an error is another class than came."""
    rivals = list(scores[0].rivals)
    heads = ["lead", "forecasts", "missed", "skill over<br>persistence", "skill over<br>seasonal naive"]
    heads += [f"missed by<br>{escape(name)}" for name in rivals]
    rows = []
    for s in scores:
        cells = [f"<td>{s.lead}<td>{s.n}<td>{percent(s.mae)}", _skill(s.skill(PERSISTENCE)), _skill(s.skill(SEASONAL))]
        cells += [f"<td>{percent(s.rivals[name])}" for name in rivals]
        rows.append(_row(s.lead == shown, cells))
    return _in_html(heads, rows)


def _row(is_shown: bool, cells: Sequence[str]) -> str:
    return f"<tr{' class=shown' if is_shown else ''}>{''.join(cells)}"


def _in_html(heads: Sequence[str], rows: Sequence[str]) -> str:
    return f"<div class=wide><table><tr>{''.join(f'<th>{head}' for head in heads)}{''.join(rows)}</table></div>"


def _skill(skill: float) -> str:
    if not isfinite(skill):
        return "<td>–"
    return f"<td class={'good' if skill > 0 else 'bad' if skill < 0 else 'even'}>{100 * skill:+.1f} %"
