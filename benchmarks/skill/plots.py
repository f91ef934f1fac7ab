"""Pictures: one SVG of all ratios that a page of Markdown can show, and a page of each series to look into."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite
from pathlib import Path

from benchmarks.skill.measures import Figures
from benchmarks.skill.run import Outcome

RATIOS = "ratios.svg"
COLOURS = ("#0b6bcb", "#009e73", "#d55e00", "#cc79a7", "#8a6d00")  # told apart by colour-blind people too
INK, GRID, PALE = "#1b2733", "#e6eaee", "#52606d"
LEFT, WIDTH, LINE, TOP = 190, 760, 26, 54


def write(outcome: Outcome, folder: Path) -> list[Path]:
    """The pictures, written; the first is the one for the page."""
    from streamlstm.picture import page  # plotly is slow to import

    folder.mkdir(parents=True, exist_ok=True)
    first = outcome.measured[0].preset
    written = [folder / RATIOS]
    written[0].write_text(ratios([f for f in outcome.figures if f.preset == first]), encoding="utf-8")
    for series, result in outcome.results.items():
        written.append(folder / f"{series.replace('/', '-')}.html")
        written[-1].write_text(page(series, result.scores, result.pairs, result.levels, 5), encoding="utf-8")
    return written


def ratios(figures: Sequence[Figures]) -> str:
    """A line a series, a dot a lead: MAE over the best naive forecast's. Left of the upright line we are better."""
    shown = [f for f in figures if isfinite(f.ratio)]
    series = list(dict.fromkeys(f.series for f in shown))
    leads = sorted({f.lead for f in shown})
    most = max([1.2, *(f.ratio + 0.1 for f in shown)])
    height = TOP + LINE * len(series) + 40

    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * ratio / most

    def text(at: float, y: float, what: str, anchor: str = "middle", colour: str = PALE) -> str:
        return f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(what)}</text>'

    def upright(at: float, colour: str, wide: float) -> str:
        line = f'x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 34}"'
        return f'<line {line} stroke="{colour}" stroke-width="{wide}"/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, DejaVu Sans, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        text(LEFT, 18, "MAE over that of the best naive forecast in hindsight", "start", INK),
    ]
    for i, lead in enumerate(leads):
        at = LEFT + 95 * i
        parts.append(f'<circle cx="{at + 5}" cy="35" r="5" fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(text(at + 15, 39.5, f"lead {lead}", "start"))
    for tick in range(int(5 * most) + 1):
        parts.append(upright(x(tick / 5), GRID, 1))
        parts.append(text(x(tick / 5), height - 16, f"{tick / 5:.1f}"))
    parts.append(upright(x(1), INK, 1.5))
    for row, name in enumerate(series):
        y = TOP + LINE * (row + 0.5)
        parts.append(text(LEFT - 12, y + 4.5, name, "end", INK))
        for f in shown:
            if f.series == name:
                dot = COLOURS[leads.index(f.lead) % len(COLOURS)]
                title = f"<title>{escape(name)}, lead {f.lead}: {f.ratio:.3f} of {escape(f.naive)}</title>"
                parts.append(
                    f'<circle cx="{x(f.ratio):.1f}" cy="{y:.1f}" r="5" fill="{dot}" fill-opacity=".85">{title}</circle>'
                )
    return "\n".join([*parts, "</svg>\n"])
