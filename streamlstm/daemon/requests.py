"""What may be asked of us over MQTT, and what comes of it: inputs for the engine, and an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from streamlstm.codec import topics
from streamlstm.codec.request import Misunderstood, done, meant, parsed, refused
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import Arrival, Close, Input, Mode, Switch

CLOSED_AT_ONCE = 32  # series of up to 55 ms each: readings should not wait longer for them
OF_SERIES: dict[str, Callable[[str], Input]] = {
    "pause": lambda series: Switch(series, Mode.PAUSED),
    "freeze": lambda series: Switch(series, Mode.FROZEN),
    "resume": lambda series: Switch(series, Mode.LEARNS),
    "close": Close,
    "reset": lambda series: Close(series, forget=True),
}
VERBS = (*OF_SERIES, "snapshot")


class Requests:
    """Those that the configuration allows. Each is done or refused, counted, and answered where a verb is known."""

    def __init__(self, base: str, allowed: Sequence[str], payload_limit: int) -> None:
        self.seen = self.taken = self.refused = 0  # messages; what the journal has already is seen and no more
        self.filters = (topics.bridge_request(base, "+"),) if allowed else ()
        self._base, self._allowed, self._payload_limit = base, allowed, payload_limit
        self._prefix = topics.bridge_request(base, "")

    def apart(self, messages: list[Message]) -> Iterator[tuple[bool, list[Message]]]:
        """Messages in order, and whether they are a request; of these, each by itself."""
        if not self.filters:
            if messages:
                yield False, messages
            return
        for asks, some in groupby(messages, lambda one: one.arrival.topic.startswith(self._prefix)):
            if asks:
                for one in some:
                    self.seen += 1
                    yield True, [one]
            else:
                yield False, list(some)

    def understood(self, arrival: Arrival, engine: Engine, keeper: Keeper) -> tuple[list[Input], str, bytes]:
        """What is to be fed, and the answer after that: its topic, empty where there is none, and what it says."""
        verb = arrival.topic.removeprefix(self._prefix)
        transaction: object = None
        try:
            if verb not in VERBS:
                raise Misunderstood(f"no such verb; need one of {', '.join(VERBS)}")
            if len(arrival.payload) > self._payload_limit:
                raise Misunderstood(f"longer than limits.payload, {self._payload_limit} bytes")
            request = parsed(arrival.payload, of_series=verb in OF_SERIES)
            transaction = request.transaction
            if verb not in self._allowed:
                raise Misunderstood(f"'{verb}' is not allowed; need it in requests.allow of the configuration")
            if arrival.retained:
                raise Misunderstood("retained; need it published without the retain flag, or it comes again and again")
            series = meant(request.patterns, engine.series()) if verb in OF_SERIES else []
            if verb == "close" and len(series) > CLOSED_AT_ONCE:
                raise Misunderstood(f"{len(series)} series; need at most {CLOSED_AT_ONCE} at once, or patience: ttl")
            if verb == "snapshot" and not keeper.hasten():
                raise Misunderstood("nothing is saved; need state.directory in the configuration")
        except Misunderstood as why:
            self.refused += 1
            answer = refused(str(why), transaction if transaction is not None else why.transaction)
            return [], topics.bridge_response(self._base, verb) if verb in VERBS else "", answer
        self.taken += 1
        inputs = [OF_SERIES[verb](name) for name in series]
        return inputs, topics.bridge_response(self._base, verb), done(series, transaction)
