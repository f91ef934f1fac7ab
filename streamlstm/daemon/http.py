"""Listening on http.listen in one thread: binding, bounds on what a peer may hold, and ending at once."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamlstm.config import Stream
from streamlstm.daemon.app import application
from streamlstm.daemon.health import Onlooker
from streamlstm.daemon.history import History
from streamlstm.daemon.status import Status

log = logging.getLogger(__name__)

PATIENCE_S = 20.0  # a connection that brings no complete request for longer is cut off
IDLE_S = 5  # after an answer, until the next request begins
CONNECTIONS_MAX = 256  # answered 503 beyond
HEADERS_MAX = 16_384  # bytes of one request's head
STUCK_S = 30.0  # its loop turns ten times a second; the scrape of 10,000 series takes a second or two


class HttpError(Exception):
    """http.listen cannot be had; the text says what to change."""


class Server:
    """A running server; `address` is where a browser finds it."""

    def __init__(self, address: str, server: _Server, thread: Thread) -> None:
        self.address = address
        self._server = server
        self._thread = thread

    def fault(self) -> str:
        """What is wrong with the thread that answers; it is not started again."""
        if not self._thread.is_alive():
            return "the http thread has ended"
        is_stuck = time.monotonic() - self._server.turned_s > STUCK_S
        return "the http thread does not move" if is_stuck else ""

    def close(self) -> None:
        """Stop listening and cut off every connection, whatever the peers do."""
        self._server.should_exit = True
        self._thread.join()


def serve(
    listen: str,
    status: Callable[[], Status],
    history: History,
    *,
    streams: Mapping[str, Stream] | None = None,
    series_labels_max: int = 0,
) -> Server:
    """Serve page, metrics and health checks on `listen` ("host:port", port 0 takes a free one).

    `streams`, by name, say how their series' values are to be read; `series_labels_max` above 0 adds metrics of each.
    """
    listener = _bound(listen)
    config = uvicorn.Config(
        application(status, history, streams or {}, series_labels_max),
        http=_Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=1,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEADERS_MAX,
    )
    server = _Server(config, Onlooker(status).look)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)
    address = _address(listener)
    thread.start()
    return Server(address, server, thread)


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):  # the resolver would take it modulo 65536
        raise HttpError(f"http.listen = {listen!r}: need host:port, the port from 0 (takes a free one) to 65535")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise HttpError(f"http.listen = {listen!r}: {error}; need host:port of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        raise HttpError(f"http.listen = {listen!r}: {_advice(error)}") from error
    return listener


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program listens there; stop it, or choose another port (0 takes a free one)"
        case errno.EACCES | errno.EPERM:
            return "not permitted; ports below 1024 need privileges, choose a higher one"
        case errno.EADDRNOTAVAIL:
            return "not an address of this machine; use 127.0.0.1, or 0.0.0.0 for all of its addresses"
    return f"{error}; need host:port of this machine"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    """uvicorn's, and when its loop last came round."""

    def __init__(self, config: uvicorn.Config, each_turn: Callable[[], None]) -> None:
        super().__init__(config)
        self.turned_s = time.monotonic()
        self._each_turn = each_turn
        self._has_failed = False

    async def on_tick(self, counter: int) -> bool:
        self.turned_s = time.monotonic()
        try:
            self._each_turn()
        except Exception:  # an onlooker's fault is no reason to end the page, the metrics and the health checks
            if not self._has_failed:
                log.exception("event=onlooker_failed")
            self._has_failed = True
        return await super().on_tick(counter)


class _Connection(H11Protocol):
    """uvicorn's, which waits for a silent peer for ever, with one rule more: see PATIENCE_S.

    It ends peers that send nothing, that send slowly and that do not read their answer.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._be_patient()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a request's head is complete
            self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self.transport.abort()

    def _be_patient(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(PATIENCE_S, self.transport.abort)
