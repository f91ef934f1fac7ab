"""Which address answers what. Every answer is read from the status or the history; nothing can be changed here."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson
from plotly.offline import get_plotlyjs
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlstm.config import Stream
from streamlstm.daemon import metrics, views
from streamlstm.daemon.health import unwell
from streamlstm.daemon.history import History
from streamlstm.daemon.status import Status

ROWS_MAX = 200  # series in one answer
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Plotly puts <style> elements into the page when it loads; scripts and style attributes are held to our own files.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "style-src-elem 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def application(
    status: Callable[[], Status], history: History, streams: Mapping[str, Stream], series_labels_max: int
) -> Starlette:
    """The page, what it reads, the metrics and the health checks."""
    registry = CollectorRegistry()
    metrics.register(registry, status, series_labels_max)

    async def healthz(_: Request) -> Response:
        now = status()
        why = unwell(now)
        if not why:
            return _json({"status": "ok"})
        return _json({"status": "unwell" if why == now.fault else "stalled", "why": why}, 503)

    async def readyz(_: Request) -> Response:
        now = status()
        return _json({"ready": now.ready, "why": now.why}, 200 if now.ready else 503)

    async def scrape(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def overview(_: Request) -> Response:
        return _json(views.overview(status()))

    async def listing(request: Request) -> Response:
        asked = request.query_params
        rows = views.listing(
            status(),
            history,
            streams,
            search=asked.get("search", ""),
            state=asked.get("state", ""),
            offset=_whole(asked.get("offset"), 0, 2**31),
            limit=_whole(asked.get("limit"), 50, ROWS_MAX),
        )
        return _json(rows)

    async def detail(request: Request) -> Response:
        name = request.path_params["name"] or request.query_params.get("name", "")  # no path can end in ".."
        found = next((one for one in status().report.series if views.clean(one.series) == name), None)
        if found is None:
            return _json({"error": "no such series"}, 404)
        history.ask(found.series)
        lead = _whole(request.query_params.get("lead"), 0, 2**31)
        return _json(views.detail(found, history.past(found.series), streams, lead))

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", scrape),
            Route("/api/status", overview),
            Route("/api/series", listing),
            Route("/api/series/{name:path}", detail),
            Route("/plotly.js", _plotly),
            *_page(),
        ],
        middleware=[Middleware(_Headers), Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)],
    )


def _json(value: Any, code: int = 200) -> Response:
    """NaN becomes null."""
    return Response(orjson.dumps(value), code, {"cache-control": "no-store"}, "application/json")


def _whole(text: str | None, default: int, most: int) -> int:
    """A number from a query, or the default: an address typed wrongly still shows something."""
    return min(int(text), most) if text and text.isascii() and text.isdigit() and len(text) < 12 else default


def _page() -> list[Route]:
    """The files of the page, read once."""
    routes = []
    for file in sorted((resources.files("streamlstm.daemon") / "page").iterdir(), key=lambda file: file.name):
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            routes.append(Route(path, _file(file.read_bytes(), kind)))
    return routes


def _file(content: bytes, kind: str) -> Callable[[Request], Any]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=kind)

    return answer


async def _plotly(request: Request) -> Response:
    """Plotly's JavaScript as its Python package carries it: 4.8 MB, sent compressed to who takes that."""
    packed, tag = _packed_plotly()
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers=headers | {"content-encoding": "gzip"}, media_type=TYPES["js"])
    return Response(gzip.decompress(packed), headers=headers, media_type=TYPES["js"])


@cache
def _packed_plotly() -> tuple[bytes, str]:
    content = get_plotlyjs().encode()
    return gzip.compress(content, 6, mtime=0), f'"{hashlib.sha256(content).hexdigest()[:16]}"'


class _Headers:
    """Puts HEADERS on every answer, also on errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
