"""What all tables of the configuration share, and those of them that are about the house: the broker and the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from streamlstm.naming import topic_filter, topic_problems, url_problem
from streamlstm.problems import Unit, Where, several
from streamlstm.units import DURATION, SIZE, SIZES, UNITS_NS, duration_ns, size_bytes

Duration = Annotated[int, BeforeValidator(duration_ns), Unit(DURATION, UNITS_NS)]
Positive = Annotated[Duration, Field(gt=0)]
Size = Annotated[int, BeforeValidator(size_bytes), Unit(SIZE, SIZES)]


class Section(BaseModel):
    """What all tables of the file share: unknown settings are refused, and true is not a 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise PydanticCustomError("wrong_kind", "a truth value is no number")
        return value


class Mqtt(Section):
    """The broker, and who we are to it."""

    url: Annotated[str, Field(description="mqtt://, mqtts://, ws:// or wss:// host[:port][/path], or 'embedded'")]
    client_id: Annotated[str, Field(min_length=1, max_length=128)] = "streamlstm"
    version: Annotated[Literal["5", "3.1.1"], Field(description="MQTT protocol version")] = "5"
    username: str | None = None
    password_file: Annotated[Path | None, Field(description="a file whose first line is the password")] = None
    ca_file: Path | None = None
    cert_file: Annotated[Path | None, Field(description="client certificate, PEM")] = None
    key_file: Annotated[Path | None, Field(description="its private key, PEM")] = None
    base: Annotated[str, Field(min_length=1, description="first level(s) of our own topics")] = "streamlstm"
    keepalive: Annotated[
        Positive, Field(le=60 * UNITS_NS["s"], description="how often to see whether the broker is there")
    ] = 15 * UNITS_NS["s"]
    session: Annotated[Positive, Field(description="how long the broker keeps our session")] = UNITS_NS["d"]
    inbox: Annotated[int, Field(ge=20, le=1_000_000, description="messages held before back-pressure")] = 10_000

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if value != "embedded" and (problem := url_problem(value)):
            raise ValueError(problem)
        return value

    @field_validator("base")
    @classmethod
    def _levels(cls, value: str) -> str:
        if not all(value.split("/")) or value.startswith("$") or topic_problems(value) or topic_filter(value) != value:
            raise ValueError("need plain levels with text between each '/', no '+', '#', braces, and no '$' in front")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Mqtt:
        scheme = urlsplit(self.url).scheme
        files = [name for name in ("ca_file", "cert_file", "key_file") if getattr(self, name) is not None]
        found: list[tuple[Where, str]] = []
        if scheme not in ("mqtts", "wss"):
            found += [((name,), f"'{self.url}' is not encrypted; need mqtts:// or wss:// for it") for name in files]
        if (self.cert_file is None) != (self.key_file is None):
            present, absent = ("cert_file", "key_file") if self.key_file is None else ("key_file", "cert_file")
            found.append(((present,), f"need {absent} beside it: a certificate and its key go together"))
        if self.password_file is not None and self.username is None:
            found.append((("password_file",), "need username beside it"))
        several(found)
        return self


class State(Section):
    """Where what was learned survives the process."""

    directory: Annotated[Path | None, Field(description="a folder of one's own; absent: nothing survives")] = None
    snapshot: Annotated[Positive, Field(description="how often every series is saved")] = UNITS_NS["h"]
    undo: Annotated[Duration, Field(ge=0, description="how far back learning can be taken back; 0s: not at all")] = 0
    undo_size: Annotated[Size, Field(ge=2**20, description="bytes of the journal for that")] = 4 * 2**30


class Requests(Section):
    """What may be asked of us over MQTT, on BASE/bridge/request/VERB."""

    allow: Annotated[
        tuple[Literal["pause", "freeze", "resume", "close", "reset", "snapshot"], ...],
        Field(description="verbs; whoever may publish on that topic may use them"),
    ] = ()


class Http(Section):
    """The page, the metrics and the health checks."""

    listen: Annotated[str, Field(description="host:port; port 0 takes a free one")] = "127.0.0.1:9464"
    series_labels: Annotated[bool, Field(description="export per-series metrics")] = False
    series_labels_max: Annotated[int, Field(ge=1, le=100_000, description="cap on series in metrics")] = 1_000

    @field_validator("listen")
    @classmethod
    def _an_address(cls, value: str) -> str:
        found = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/]+):([0-9]{1,5})", value)
        if found is None or int(found[1]) > 65_535:
            raise ValueError("need host:port such as '127.0.0.1:9464' or '[::1]:9464', port 0 to 65535")
        return value
