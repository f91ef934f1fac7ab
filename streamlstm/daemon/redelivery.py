"""Messages that the broker sends again although the journal has them: it had not heard our acknowledgement.

Such a message has the packet identifier that it had (MQTT 5, 4.4), the same topic and payload, and the DUP flag. The
flag alone says nothing: the first attempt may never have reached us. What it cannot tell apart is a message that
repeats another's payload under the same identifier, unacknowledged when the connection was lost, from a broker that
gives out an identifier again at once; a stream with event times does not care.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

from streamlstm.codec.journal import Delivery
from streamlstm.daemon.inbox import Message

KEPT = 4096  # newest deliveries: what brokers leave unacknowledged, several times over


class Redelivery:
    """Knows the newest deliveries that are in the journal."""

    def __init__(self) -> None:
        # digest by packet identifier, the newest last; a dict would look for its oldest among all it has ever given up
        self._known = OrderedDict[int, bytes]()

    def told(self, messages: Iterable[Message]) -> tuple[list[Message], list[Delivery]]:
        """Those of the messages that are new, and by what they are to be known, once they are in the journal.

        One that came by a lost connection, and again by the next, may be among them twice.
        """
        fresh, here = list[Message](), list[Delivery]()
        newest = dict[int, bytes]()  # of these messages
        for message in messages:
            if message.mid:
                delivery = Delivery(message.mid, _digest(message))
                before = newest.get(message.mid) or self._known.get(message.mid)
                if message.again and before == delivery.digest:
                    continue
                newest[message.mid] = delivery.digest
                here.append(delivery)
            fresh.append(message)
        return fresh, here

    def remember(self, deliveries: Iterable[Delivery]) -> None:
        """They are in the journal."""
        for mid, digest in deliveries:
            self._known[mid] = digest
            self._known.move_to_end(mid)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def export(self) -> list[Delivery]:
        """All that it knows, the oldest first."""
        return [Delivery(mid, digest) for mid, digest in self._known.items()]


def _digest(message: Message) -> bytes:
    topic, payload = message.arrival.topic.encode("utf-8", "surrogatepass"), message.arrival.payload
    return blake2b(len(topic).to_bytes(4, "little") + topic + payload, digest_size=8).digest()
