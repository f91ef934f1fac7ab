"""One figure beside its floor and aim, and what every row is given. Where there is no floor or aim, it is NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

from benchmarks.skill import datasets
from streamlstm.codec.table import Row

SEED = 1


class NotHere(Exception):
    """A file that a row needs is not in the folder; its text says which, and where from."""


@dataclass(frozen=True, slots=True)
class Given:
    """What every row is given."""

    preset: str = "full"
    folder: Path | None = None  # of data
    seed: int = SEED  # of the engine and of everything that is drawn

    def rows(self, name: str) -> list[Row]:
        """A public series of `benchmarks.skill.datasets`."""
        dataset = next(d for d in datasets.ALL if d.name == name)
        if self.folder is None or not dataset.is_here(self.folder):
            raise NotHere(f"{' or '.join(dataset.files)} (--data): {dataset.source}")
        if not dataset.same_bytes(self.folder):
            raise NotHere(f"{name} with SHA-256 {dataset.digest}; the file in the folder has another")
        return dataset.rows(self.folder)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. Smaller is better, unless `near` names the value that it should have."""

    what: str
    value: float
    floor: float = nan  # at most; with `near`, at most so far from it
    aim: float = nan
    near: float = nan

    @property
    def reached(self) -> str:
        """aim, floor, missed; "" where nothing was set, or nothing measured."""
        if isnan(self.value) or (isnan(self.floor) and isnan(self.aim)):
            return ""
        away = self.value if isnan(self.near) else abs(self.value - self.near)
        if away <= self.aim:
            return "aim"
        if isnan(self.floor):
            return "below the aim"
        return "floor" if away <= self.floor else "missed"


def table(figures: Sequence[Figure]) -> str:
    """Rows of a table in Markdown: what, value, floor, aim, reached."""
    lines = []
    for figure in figures:
        around = "" if isnan(figure.near) else f"{figure.near:.4g} ± "
        bounds = ["" if isnan(bound) else f"{around}{bound:.4g}" for bound in (figure.floor, figure.aim)]
        value = "–" if isnan(figure.value) else f"{figure.value:.4g}"
        lines.append("| " + " | ".join([figure.what, value, *bounds, figure.reached]) + " |")
    return "\n".join(lines)
