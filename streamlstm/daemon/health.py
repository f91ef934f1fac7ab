"""Whether we are well, as /healthz says it: judged from what the engine's loop last said, and how long ago that was."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamlstm.daemon.status import Status
from streamlstm.events import SECOND_NS

log = logging.getLogger(__name__)

STALLED_S = 30  # without a new status for longer, the engine's thread is not well
STARTING_S = 300  # the same before it is ready: recovering may take a while, and brings no new status


def unwell(now: Status) -> str:
    """Why we are not well; empty where we are."""
    age_s = (time.time_ns() - now.time_ns) / SECOND_NS
    allowed_s = STALLED_S if now.ready else STARTING_S
    if age_s > allowed_s:
        return f"no new status from the engine for {age_s:.0f} s, need one within {allowed_s} s"
    return now.fault


class Onlooker:
    """Writes a line when the engine's loop falls silent, which cannot do that itself; to be called now and then."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._was_well = True

    def look(self) -> None:
        now = self._status()
        why = unwell(now)
        is_well = not why or why == now.fault  # of which the loop has told
        if not is_well and self._was_well:
            log.error("event=stalled why=%r", why)
        self._was_well = is_well
