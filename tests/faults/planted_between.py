"""Faults between us and the broker: acknowledgements that say too much, too early or to the wrong connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from streamlstm.daemon.inbox import Message
from streamlstm.daemon.link import Link
from streamlstm.daemon.mqtt import Session
from streamlstm.daemon.run import Daemon
from tests.faults.planted import FAULTS, noticed_by, wrap

__all__ = ["FAULTS"]  # with those that are planted here

ALL_KINDS = 7  # cycles of the harness `broker`


@noticed_by("broker", ALL_KINDS)
def acknowledged_on_a_newer_connection() -> None:
    """As if a message did not say by which connection it came."""
    _acknowledge(lambda link, messages: [one._replace(epoch=link._in.epoch) for one in messages])


@noticed_by("broker", ALL_KINDS)
def acknowledged_with_the_wrong_epoch() -> None:
    """So that nothing ever is."""
    _acknowledge(lambda _, messages: [one._replace(epoch=one.epoch + 1) for one in messages])


@noticed_by("broker", ALL_KINDS)
def acknowledged_newest_first() -> None:
    _acknowledge(lambda _, messages: messages[::-1])


@noticed_by("broker", ALL_KINDS)
def the_last_of_many_not_acknowledged() -> None:
    _acknowledge(lambda _, messages: messages[:-1] if len(messages) > 1 else messages)


@noticed_by("broker", ALL_KINDS)
def acknowledged_before_the_engine_has_it() -> None:
    def learn(original: Callable[..., Any], self: Daemon, messages: list[Message], link: Any, *rest: Any) -> None:
        link.acknowledge(messages)
        original(self, messages, link, *rest)

    wrap(Daemon, "_learn", learn)


@noticed_by("broker", ALL_KINDS)
def acknowledged_on_receipt() -> None:
    def on_message(original: Callable[..., Any], self: Session, client: Any, user: Any, message: Any) -> None:
        original(self, client, user, message)
        client.ack(message.mid, message.qos)

    wrap(Session, "_on_message", on_message)


@noticed_by("broker", ALL_KINDS)
def a_session_that_the_broker_does_not_keep() -> None:
    def start(original: Callable[..., Any], self: Session) -> None:
        connect = self._client.connect_async
        self._client.connect_async = lambda *given, **named: connect(*given, **named | {"clean_start": True})
        original(self)

    wrap(Session, "start", start)


@noticed_by("broker", ALL_KINDS)
def subscribed_at_the_first_connection_only() -> None:
    """The broker's session would have it, had it not lost that."""
    wrap(
        Session,
        "_subscriptions",
        lambda original, self: original(self) if self.connections == 1 else [("elsewhere", 1)],
    )


@noticed_by("broker", ALL_KINDS)
def messages_of_a_lost_connection_thrown_away() -> None:
    """They come again, unless the session is lost with them; and nobody has counted them."""

    def take(original: Callable[..., Any], self: Link, *given: Any) -> list[Message]:
        return [one for one in original(self, *given) if one.epoch == self._in.epoch]

    wrap(Link, "take", take)


def _acknowledge(otherwise: Callable[[Link, Sequence[Message]], Sequence[Message]]) -> None:
    wrap(Link, "acknowledge", lambda original, self, messages: original(self, otherwise(self, messages)))
