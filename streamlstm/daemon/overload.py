"""When more comes than can be learned: learning is given up for a while, so that forecasts keep up with what comes.

The sign is that the inbox could not be emptied for long. Neither the age of its oldest message nor its depth says it: a
broker hands over a window of a few hundred unacknowledged messages, which are a fraction of a second old at most, and
keeps the rest to itself. A burst, or what waited while we were away, is learned if it is taken up in time.
"""

from __future__ import annotations

REST_S = 1.0  # emptied at least so often, the inbox keeps up
CALM_S = 10.0  # after so long of keeping up, learning goes on: hysteresis, or it would come and go


class Overload:
    """Decides once a turn of the loop; `sheds` is what stands. after_s: how long is long; 0: never."""

    def __init__(self, after_s: float) -> None:
        self.sheds = False
        self._after_s = after_s
        self._emptied_s: float | None = None  # when the inbox was last seen empty
        self._behind_s = 0.0  # when we last did not keep up

    def changes(self, emptied: bool, now_s: float) -> bool:
        """Whether learning is to be shed, or taken up again, from now on. emptied: this turn left the inbox empty."""
        if emptied or self._emptied_s is None:
            self._emptied_s = now_s
        waited_s = now_s - self._emptied_s
        if waited_s >= min(REST_S, self._after_s):
            self._behind_s = now_s
        before = self.sheds
        if not before:
            self.sheds = 0.0 < self._after_s <= waited_s
        elif now_s - self._behind_s >= CALM_S:
            self.sheds = False
        return self.sheds != before
