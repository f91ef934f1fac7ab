"""Faults that are put in on purpose: a harness that does not notice one proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Fault(NamedTuple):
    """One mistake that a person might make, and the harness that must notice it."""

    noticed_by: str
    plant: Callable[[], None]


FAULTS: dict[str, Fault] = {}
