"""Every setting on one page: its unit, range and default. Read once, checked whole, then passed on frozen.

`load` gathers all problems before it raises, and `problems` words each as where, what was found, what is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from math import inf, tau
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from streamlstm.conflicts import (
    between,
    covariate_problems,
    joining_problems,
    joint_problems,
    lead_problems,
    step_problems,
    ttl_problems,
)
from streamlstm.kinds import LIMITS, type_problems
from streamlstm.naming import VALUE, key_path, name_problems, place_problem, topic_problems
from streamlstm.problems import ConfigError, Where, in_words, line, several, shown
from streamlstm.resolutions import gathered, resolution_problems, resolved
from streamlstm.sections import Duration, Http, Mqtt, Positive, Requests, Section, Size, State
from streamlstm.sources import FILES, files, overlaid, parsed
from streamlstm.units import UNITS_NS, lead
from streamlstm.units import duration_ns as duration_ns

Lead = Annotated[int, BeforeValidator(lead)]
Leads = Annotated[tuple[Lead, ...], Field(min_length=1, max_length=64, description="steps (24) or durations ('1h')")]


class Limits(Section):
    """Bounds that hold whatever arrives."""

    max_series: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    memory: Annotated[Size, Field(ge=2**20, description="bytes for all series' states")] = 4 * 2**30
    closed: Annotated[Size, Field(ge=0, description="bytes for what closed series had learned")] = 256 * 2**20
    payload: Annotated[Size, Field(ge=16, le=16 * 2**20, description="bytes of one message")] = 64 * 2**10
    shed_after: Annotated[
        Duration, Field(description="how long more may come than can be learned, until it is not; 0s: for ever")
    ] = 60 * UNITS_NS["s"]


# What a preset sets; each setting given beside it wins.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "full": {"hidden": 48, "truncation": 24, "learning_rate": (1e-3, 3e-3, 8e-3), "memory": 20_000},
    "fleet": {"hidden": 24, "truncation": 12, "learning_rate": (2e-3, 6e-3), "memory": 5_000},
    "tiny": {"hidden": 16, "truncation": 12, "learning_rate": (4e-3,), "memory": 2_000},
}


class Model(Section):
    """The cells and how they learn."""

    preset: Annotated[
        Literal["full", "fleet", "tiny"], Field(description="best forecasts; thousands of series; least of everything")
    ] = "full"
    hidden: Annotated[int, Field(ge=1, le=256, description="width of the hidden state")] = 48
    layers: Annotated[int, Field(ge=1, le=3, description="LSTM layers")] = 1
    truncation: Annotated[int, Field(ge=2, le=128, description="steps the gradient travels back")] = 24
    activation: Annotated[Literal["tanh", "relu"], Field(description="of the cell's candidate and output")] = "tanh"
    residual: Annotated[bool, Field(description="add each upper layer's input to its output")] = False
    attention: Annotated[int, Field(ge=0, le=64, description="past hidden states that the heads look back at")] = 0
    pruning: Annotated[float, Field(ge=0, lt=1, description="share of the weights that become zero")] = 0.0
    optimiser: Annotated[
        Literal["adam", "adamw", "nadam", "rmsprop", "sgd"], Field(description="how a gradient moves the weights")
    ] = "adam"
    learning_rate: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...],
        Field(min_length=1, max_length=5, description="the optimiser's step, of as many cells as there are numbers"),
    ] = (1e-3, 3e-3, 8e-3)
    memory: Annotated[int, Field(ge=64, le=1_000_000, description="past steps kept for replay")] = 20_000
    replay: Annotated[int, Field(ge=0, le=5, description="windows drawn from memory an update")] = 3

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: object) -> object:
        if not isinstance(given, Mapping) or given.get("preset") not in PRESETS:
            return given  # the default preset's settings are the defaults; an unknown one is refused as such
        return {**PRESETS[given["preset"]], **given}

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, int | float | str) else value


class Covariate(Section):
    """What else is known about a stream, from a topic of its own."""

    topic: Annotated[str, Field(min_length=1, description="filter; {placeholders} as in the stream's own topic")]
    format: Literal["number", "json"] = "json"
    value: Annotated[str | None, Field(description="key path of the value")] = None
    time: Annotated[str | None, Field(description="key path of the time it is for; absent: the arrival time")] = None
    known_ahead: Annotated[bool, Field(description="values for times to come: a forecast, a tariff, a schedule")] = (
        False
    )
    values: Annotated[str | None, Field(description="key path of many that are known ahead, 'hourly[].temp'")] = None
    times: Annotated[
        str | None, Field(description="key path of the times that they are for; absent: 'time' beside the values")
    ] = None
    issued: Annotated[
        str | None, Field(description="key path of the time since which they are known; absent: the arrival time")
    ] = None
    hold: Annotated[
        Positive | None, Field(description="how long one of them holds at most; absent: until the next begins")
    ] = None
    time_format: Annotated[
        Literal["auto", "rfc3339", "s", "ms", "us", "ns"], Field(description="auto: RFC 3339 text or epoch seconds")
    ] = "auto"
    map: Annotated[dict[str, float], Field(description="what booleans and words count as")] = {}  # noqa: RUF012  pydantic copies it
    classes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(max_length=16, description="its words, each an input of its own: 1 while it is said, else 0"),
    ] = ()
    hashed: Annotated[
        int | None, Field(ge=2, le=16, description="of words that are not known beforehand: into how many inputs")
    ] = None

    @property
    def width(self) -> int:
        """How many inputs its words are spread over; 0 of a number, which is one."""
        return len(self.classes) or self.hashed or 0

    @field_validator("value", "time", "issued")
    @classmethod
    def _key_path(cls, value: str | None) -> str | None:
        return None if value is None else _readable(value)

    @field_validator("values", "times")
    @classmethod
    def _key_paths(cls, value: str | None) -> str | None:
        if value is not None and key_path(value, many=True) is None:
            raise ValueError("need a key path with [] for each element, such as hourly[].temp or hourly.temp[]")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Covariate:
        several(covariate_problems(self))
        return self


class Resolution(Section):
    """A coarser step, at which a stream is forecast too."""

    step: Annotated[Positive, Field(description="into which steps of the stream are gathered")]
    leads: Leads = (1, 3, 6, 12, 24)


class Stream(Section):
    """One family of topics, and how its messages become observations."""

    name: Annotated[str, Field(min_length=1, description="names the series; may use the topic's {placeholders}")]
    topic: Annotated[str, Field(min_length=1, description="filter; a {placeholder} subscribes as +")]
    format: Literal["number", "json"] = "number"
    value: Annotated[
        tuple[str, ...], Field(max_length=33, description="key path; the first is forecast, further ones are inputs")
    ] = ()
    joint: Annotated[
        bool, Field(description="forecast every value, as a series of its own beside the others; {value} in the name")
    ] = False
    time: Annotated[str | None, Field(description="key path of the event time; absent: the arrival time")] = None
    time_format: Annotated[
        Literal["auto", "rfc3339", "s", "ms", "us", "ns"], Field(description="auto: RFC 3339 text or epoch seconds")
    ] = "auto"
    type: Annotated[
        Literal["number", "boolean", "count", "counter", "angle", "category"],
        Field(description="what kind of values they are, and so which arithmetic is right for them"),
    ] = "number"
    classes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(max_length=8, description="the words of a category, each forecast with a probability"),
    ] = ()
    period: Annotated[
        float | None, Field(gt=0, description="of an angle: the value that is 0 again; absent: 360, in rad 2π")
    ] = None
    rollover: Annotated[
        float | None, Field(gt=0, description="of a counter: the value at which it begins at 0 again, such as 65536")
    ] = None
    map: Annotated[dict[str, float], Field(description="what booleans and categories count as, e.g. {on = 1}")] = {}  # noqa: RUF012  pydantic copies it
    unit: Annotated[str, Field(max_length=32)] = ""
    bounds: Annotated[tuple[float, float] | None, Field(description="[lowest, highest] value that is physical")] = None
    step: Annotated[int | Literal["auto"], Field(description="nominal spacing, or 'auto' to find it")] = "auto"
    aggregate: Annotated[
        Literal["mean", "last", "sum", "min", "max", "count"] | None,
        Field(description="what of all readings in a step is forecast; absent: each reading is a step"),
    ] = None
    hold: Annotated[
        Duration, Field(description="how long a value that is not sent again still holds; 0s: not at all")
    ] = 0
    leads: Leads = (1, 3, 6, 12, 24)
    resolutions: Annotated[
        tuple[Resolution, ...],
        Field(max_length=4, description="coarser steps that are forecast too, in agreement"),
    ] = ()
    levels: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(min_length=1, max_length=8, description="coverage of the intervals, between 0 and 1"),
    ] = (0.8, 0.95)
    seasons: Annotated[
        tuple[Positive, ...] | None,
        Field(max_length=2, description="periods, the shorter first; absent: the calendar's, and those found"),
    ] = None
    calendar: Annotated[
        bool, Field(description="whether day, week and year mean anything, where seasons are found")
    ] = True
    gap: Annotated[Positive, Field(description="longer: forget the hidden state, keep what was learned")] = UNITS_NS[
        "d"
    ]
    ttl: Annotated[Positive | None, Field(description="silent for longer, a series is closed; absent: never")] = None
    lateness: Annotated[Duration, Field(description="how long an early reading waits for an earlier one")] = 0
    future: Annotated[Duration, Field(description="how far ahead of its arrival a reading may be")] = (
        300 * UNITS_NS["s"]
    )
    timezone: Annotated[str, Field(description="civil time of day and week")] = "UTC"
    holidays: Annotated[
        str | None, Field(description="of a country 'DE' or of a part of it 'DE-BY', each lead knows them ahead")
    ] = None
    group: Annotated[
        bool, Field(description="its series are alike: a new one begins with what another one has learned")
    ] = False
    retained: Annotated[bool, Field(description="learn from retained messages too")] = False
    covariates: Annotated[
        tuple[Covariate, ...], Field(max_length=32, description="inputs from topics of their own")
    ] = ()
    model: Model = Model()

    @field_validator("value", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("step", mode="before")
    @classmethod
    def _step_ns(cls, value: object) -> object:
        if value == "auto":
            return value
        ns = duration_ns(value) if isinstance(value, str) else 0
        if not ns:
            raise ValueError("need a duration such as '30s', '5min' or '1h', or 'auto'")
        return ns

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("need a zone of the IANA database such as 'Europe/Berlin'") from error
        return value

    @field_validator("holidays")
    @classmethod
    def _known_place(cls, value: str | None) -> str | None:
        if value is not None and (problem := place_problem(value)):
            raise ValueError(problem)
        return value

    @field_validator("levels", "seasons")
    @classmethod
    def _ascending(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and list(value) != sorted(set(value)):
            raise ValueError("need ascending values without repetition")
        return value

    @field_validator("value", "time")
    @classmethod
    def _key_path(cls, value: tuple[str, ...] | str | None) -> object:
        for path in (value,) if isinstance(value, str) else value or ():
            _readable(path)
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Stream:
        found: list[tuple[Where, str]] = [(("topic",), what) for what in topic_problems(self.topic)]
        found += [(("name",), what) for what in name_problems(self.own_name, self.topic)]
        if self.format == "json" and not self.value:
            found.append((("value",), "missing; format 'json' needs the key path of the value"))
        if self.format == "number":
            found += [
                ((name,), "format 'number' is a bare number without keys; need format = 'json' for it")
                for name in ("value", "time")
                if getattr(self, name)
            ]
        if self.time is None and self.time_format != "auto" and self.format == "json":
            found.append((("time_format",), "need time, the key path of what is to be read so"))
        if self.bounds and not self.bounds[0] < self.bounds[1]:
            found.append((("bounds",), "need the lowest first, then a higher one"))
        found += [(("leads",), what) for what in lead_problems(self.leads, self.step)]
        found += step_problems(self.step, self.aggregate, self.hold) + ttl_problems(self)
        found += joining_problems(self) + joint_problems(self) + resolution_problems(self)
        found += type_problems(self)
        several(found)
        return self

    @property
    def in_time(self) -> bool:
        """Whether a lead is a duration, not a number of steps."""
        return any(lead < 0 for lead in self.leads)

    @property
    def coarser(self) -> tuple[Stream, ...]:
        """A stream for each coarser resolution: what it takes are this one's steps, gathered."""
        return tuple(gathered(self, one) for one in self.resolutions)

    @property
    def own_name(self) -> str:
        """The name without the placeholder that stands for a value's key path."""
        return self.name.replace(VALUE, "x") if self.joint else self.name

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value that there can be of what is forecast; of a counter, of its differences."""
        return self.bounds or LIMITS.get(self.type, (-inf, inf))

    @property
    def turn(self) -> float:
        """Of an angle: how much is once around."""
        return self.period or (tau if self.unit == "rad" else 360.0)

    @property
    def inputs(self) -> int:
        """How many covariates come with the target, or are joined to it as of its time."""
        joined = sum(one.width or 1 for one in self.covariates if not one.known_ahead)
        return max(0, len(self.value) - 1) + joined

    @property
    def ahead(self) -> int:
        """How many covariates are known for times to come."""
        return sum(one.width or 1 for one in self.covariates if one.known_ahead) + (self.holidays is not None)


def _readable(path: str) -> str:
    if key_path(path) is None:
        raise ValueError(f"{shown(path)} is no key path; need one such as temperature, ENERGY.Power or items[0].v")
    return path


class Config(Section):
    """The whole of a configuration file."""

    seed: Annotated[int, Field(ge=0, lt=2**63, description="of every series' first weights")] = 1
    mqtt: Mqtt
    state: State = State()
    http: Http = Http()
    limits: Limits = Limits()
    requests: Requests = Requests()
    streams: Annotated[tuple[Stream, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _belongs_together(self) -> Config:
        several(between(self.mqtt, enumerate(self.streams)))
        return self

    @property
    def resolved(self) -> tuple[Stream, ...]:
        """See `resolutions.resolved`."""
        return resolved(self.streams)


def load(path: Path, env: Mapping[str, str]) -> Config:
    """Read a configuration file, with STREAMLSTM_SECTION__SETTING of the environment over it.

    Relative paths in it start at the file's own folder. Raises ConfigError with every problem there is.
    """
    raw = parsed(path)
    variables, problems = overlaid(raw, env, Config.model_fields)
    problems += files(raw, path.parent)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        problems += in_words(error, Config, raw, variables)
        problems += _told_by_parts(raw, variables)
        raise ConfigError(list(dict.fromkeys(problems))) from error
    if problems:
        raise ConfigError(problems)
    return config


def config_hash(config: Config) -> str:
    """Twelve hex digits that change when a setting does; who we are to the broker is left out."""
    plain = config.model_dump(mode="json", exclude={"mqtt": {"username", *FILES}, "state": True})
    return blake2b(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode(), digest_size=6).hexdigest()


def _told_by_parts(raw: dict[str, Any], variables: Mapping[Where, str]) -> list[str]:
    """What else is wrong where something is: pydantic looks at a section as a whole only once its fields are right."""
    problems = []
    entries = raw.get("streams")
    streams = []
    for n, entry in enumerate(entries if isinstance(entries, list) else []):
        stream, found = _without_faults(entry)
        problems += [line((("streams", n, *where)), what, raw, variables) for where, what in found]
        streams += [(n, stream)] if stream is not None else []
    try:
        mqtt = Mqtt.model_validate(raw.get("mqtt"))
    except ValidationError:
        mqtt = None
    return problems + [line(where, what, raw, variables) for where, what in between(mqtt, streams)]


def _without_faults(entry: object) -> tuple[Stream | None, list[tuple[Where, str]]]:
    """A stream as it would be without its faulty settings, and what would then still be wrong with name and topic."""
    try:
        return Stream.model_validate(entry), []
    except ValidationError as error:
        faulty = {item["loc"][0] for item in error.errors() if item["loc"]}
        if not isinstance(entry, dict) or not faulty:
            return None, []
    try:
        return Stream.model_validate({name: value for name, value in entry.items() if name not in faulty}), []
    except ValidationError as error:
        found = [pair for item in error.errors() if item["type"] == "several" for pair in item["ctx"]["found"]]
        return None, [(where, what) for where, what in found if where[0] in ("name", "topic")]
