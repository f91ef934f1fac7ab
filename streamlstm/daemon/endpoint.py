"""Where the broker is, and in words for a person why it cannot be reached."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from streamlstm.sections import Mqtt

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class EndpointError(ValueError):
    """A setting of [mqtt] that cannot work; the message says which, and what is needed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address read from mqtt.url."""

    scheme: str
    host: str
    port: int
    path: str  # of websockets

    @property
    def is_websocket(self) -> bool:
        return self.scheme in ("ws", "wss")

    @property
    def is_tls(self) -> bool:
        return self.scheme in ("mqtts", "wss")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path if self.is_websocket else ''}"


def parse(url: str) -> Endpoint:
    """Read mqtt.url, which the configuration has checked."""
    parts = urlsplit(url)
    assert parts.scheme in _PORTS and parts.hostname, f"no address of a broker: '{url}'"
    path = (parts.path or "/mqtt") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], path)


def tls_context(settings: Mqtt) -> ssl.SSLContext:
    """What a TLS connection demands: a certificate for this very name (not the common name) that our CA has signed."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise EndpointError(f"mqtt.ca_file = {settings.ca_file}: {_short(error)}; need PEM certificates") from error
    context.hostname_checks_common_name = False
    if settings.cert_file is not None:
        try:
            # an encrypted key would otherwise make OpenSSL ask for its password on the terminal, and wait
            context.load_cert_chain(settings.cert_file, settings.key_file, password=b"")
        except (OSError, ssl.SSLError) as error:
            raise EndpointError(
                f"mqtt.cert_file = {settings.cert_file}, mqtt.key_file = {settings.key_file}: {_short(error)}; "
                "need a PEM certificate and its key, not encrypted"
            ) from error
    return context


def password(file: Path) -> str:
    """Read anew for every connection, so that a changed password needs no restart."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectionError(f"mqtt.password_file = {file}: {_short(error)}") from error
    if not lines or not lines[0]:
        raise ConnectionError(f"mqtt.password_file = {file}: the first line is empty; need the password")
    return lines[0]


def explain(error: BaseException | None, endpoint: Endpoint) -> str:
    """Why the connection could not be made."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"{endpoint} shows a certificate that is not accepted: {error.verify_message.rstrip('.')}; "
                "check mqtt.ca_file and the host in mqtt.url"
            )
        case ssl.SSLError():
            return f"no TLS with {endpoint}: {_short(error)}; does this port speak it?"
        case socket.gaierror():
            return f"no address is known for the host '{endpoint.host}' of mqtt.url"
        case ConnectionRefusedError():
            return f"nothing listens at {endpoint}"
        case ConnectionResetError() if endpoint.is_tls:
            return f"{endpoint} hangs up on TLS; does this port speak it?"
        case TimeoutError():
            return f"{endpoint} does not answer"
        case OSError():
            return f"{endpoint}: {_short(error)}"
        case _:
            return f"{endpoint} cannot be reached"


def unanswered(endpoint: Endpoint, version: str) -> str:
    """Connected, but the broker never answered our CONNECT."""
    hint = (
        "does it ask for a client certificate (mqtt.cert_file)?"
        if endpoint.is_tls
        else "does the port want TLS (mqtts://)?"
    )
    return f"{endpoint} does not answer as a broker for MQTT {version} would; is mqtt.version right, and {hint}"


def _short(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
