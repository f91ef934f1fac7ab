"""What is wrong with a configuration, in words: where, what was found, what is needed, what was probably meant."""

from __future__ import annotations

import types
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Where = tuple[str | int, ...]

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", dict: "a table"}


class ConfigError(Exception):
    """The configuration cannot be used; `problems` holds every reason, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Unit:
    """Put beside a field's type: what its texts look like, and how to show a limit in them."""

    def __init__(self, need: str, show: Mapping[str, int]) -> None:
        self.need = need
        self._show = sorted(show.items(), key=lambda item: -item[1])

    def text(self, value: int) -> str:
        """The value in the largest unit that divides it."""
        return next(
            (f"'{value // size}{name}'" for name, size in self._show if value and value % size == 0), str(value)
        )


def several(found: list[tuple[Where, str]]) -> None:
    """Raise all (where, what is wrong) pairs that one model's validator has found, if any."""
    if found:
        text = "; ".join(f"{place(where, {})}: {what}" for where, what in found)
        raise PydanticCustomError("several", "{text}", {"text": text, "found": found})


def in_words(
    error: ValidationError, model: type[BaseModel], raw: Mapping[str, Any], variables: Mapping[Where, str]
) -> list[str]:
    """One line for each problem that pydantic gathered. `variables`: settings that came from the environment."""
    lines = []
    errors = error.errors(include_url=False)
    for item in errors:
        where = item["loc"]
        if item["type"] == "several":
            lines += [line((*where, *inner), what, raw, variables) for inner, what in item["ctx"]["found"]]
            continue
        if item["type"] == "too_short" and any(len(e["loc"]) > len(where) == _shared(e["loc"], where) for e in errors):
            continue  # the elements that it misses are told of by themselves
        if item["type"] == "missing" and isinstance(where[-1], int):
            where = where[:-1]  # the second of a pair: the list is what is wrong
        section, field, rest = _declared(model, where)
        match item["type"]:
            case "extra_forbidden":
                what = f": no such setting{_intent(str(where[-1]), section, model)}"
            case "missing" if isinstance(item["loc"][-1], str):
                what = f": missing; need {_need(field, where, rest)}"
            case "value_error":
                own = field is not None and any(isinstance(note, Unit) for note in field.metadata)
                what = f"{item['ctx']['error']}{_described(field) if own else ''}"
            case _:
                what = f"need {_need(field, where, rest)}"
        lines.append(line(where, what, raw, variables))
    return list(dict.fromkeys(lines))


def place(where: Where, raw: Mapping[str, Any]) -> str:
    """A setting's place as the user knows it: streams by their name."""
    parts = ""
    for depth, key in enumerate(where):
        if isinstance(key, int):
            name = _found(where[: depth + 1], raw)
            name = name.get("name") if isinstance(name, dict) and where[0] == "streams" and depth == 1 else None
            parts += f".{name}" if isinstance(name, str) and name else f"[{key}]"
        else:
            parts += f".{key}"
    return parts.removeprefix(".")


def shown(value: object) -> str:
    """A value as it would stand in the file, shortened."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 80 else value[:77] + "...")
        case dict():
            return "{...}" if value else "{}"
        case list() if len(value) > 6:
            return f"[{', '.join(map(shown, value[:5]))}, ...]"
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case _:
            return str(value)


def line(where: Where, what: str, raw: Mapping[str, Any], variables: Mapping[Where, str]) -> str:
    """Where, what was found there, and `what` of it; a `what` that begins with a colon tells of no value."""
    value = None if what.startswith(":") else _found(where, raw)
    given = "" if value is None else f" = {shown(value)}"
    colon = "" if what.startswith(":") else ": "
    origin = [name for at, name in variables.items() if _shared(at, where) == min(len(at), len(where))]
    return f"{place(where, raw)}{given}{colon}{what}{f' (from {origin[0]})' if len(origin) == 1 else ''}"


def _shared(one: Where, other: Where) -> int:
    """How many keys two places have in common from the top."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _found(where: Where, raw: Any) -> Any:
    for key in where:
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _declared(model: type[BaseModel], where: Where) -> tuple[type[BaseModel], FieldInfo | None, Where]:
    """The section that a place lies in, the field there, and what of the place lies within the field."""
    section, field, rest = model, None, where
    for depth, key in enumerate(where):
        if isinstance(key, str):
            inner = _section(field.annotation) if field is not None else model
            if inner is None or key not in inner.model_fields:
                return inner or section, field, where[depth:]
            section, field, rest = inner, inner.model_fields[key], where[depth + 1 :]
    return section, field, rest


def _section(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _intent(name: str, section: type[BaseModel], model: type[BaseModel]) -> str:
    close = get_close_matches(name.lower(), section.model_fields, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    home = next((at for at, inner in _sections(model, "") if name in inner.model_fields), None)
    if home is not None:
        return f"; {name!r} belongs to {home}"
    return f"; there are {', '.join(section.model_fields)}"


def _sections(model: type[BaseModel], at: str) -> list[tuple[str, type[BaseModel]]]:
    found = [(f"[{at}]" if at else "the top of the file", model)]
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is not None:
            found += _sections(inner, f"{at}.{name}".removeprefix("."))
    return found


def _described(field: FieldInfo | None) -> str:
    return f" ({field.description})" if field is not None and field.description else ""


def _need(field: FieldInfo | None, where: Where, rest: Where) -> str:
    """What a place takes, from the declaration of its field."""
    if field is None:
        return "a table"
    if _section(field.annotation) is not None:
        table = f"[{'.'.join(key for key in where if isinstance(key, str))}]"
        many = get_origin(field.annotation) is tuple
        return f"tables, each begun with [{table}]" if many and not rest else f"a table, begun with {table}"
    annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    for _ in rest:  # an element of a list, or a value of a table
        annotation = get_args(_bare(annotation))[1 if get_origin(_bare(annotation)) is dict else 0]
    return _kind(annotation) + _described(field)


def _kind(annotation: Any) -> str:
    bare, notes = _bare(annotation), _notes(annotation)
    unit = next((note for note in notes if isinstance(note, Unit)), None)
    if unit is not None:
        return unit.need + _range(notes, unit.text)
    if get_origin(bare) is Literal:
        *most, last = map(shown, get_args(bare))
        return f"{', '.join(most)} or {last}" if most else last
    if get_origin(bare) is tuple:
        inner = get_args(bare)
        if inner[-1] is not Ellipsis:
            return f"a list of {len(inner)}: {_kind(inner[0])} each"
        return f"a list{_length(notes)}, each {_kind(inner[0])}"
    kind = _KINDS.get(get_origin(bare) or bare, "a value")
    return kind + (_length(notes, " characters") if bare is str else _range(notes, str))


def _bare(annotation: Any) -> Any:
    """The type without notes and without None."""
    inside = _inside(annotation)
    return inside if inside is annotation else _bare(inside)


def _inside(annotation: Any) -> Any:
    """A type one layer down: without its notes, or without None."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _notes(annotation: Any) -> list[Any]:
    """The notes on a type, those of all layers, the outermost first."""
    notes = list(get_args(annotation)[1:]) if get_origin(annotation) is Annotated else []
    inside = _inside(annotation)
    found = [inner for note in notes for inner in (note.metadata if isinstance(note, FieldInfo) else [note])]
    return found if inside is annotation else found + _notes(inside)


def _range(notes: list[Any], text: Any) -> str:
    limits = {
        kind: next((getattr(n, kind.__name__.lower()) for n in notes if isinstance(n, kind)), None)
        for kind in (Ge, Gt, Le, Lt)
    }
    if limits[Ge] is not None and limits[Le] is not None:
        return f", {text(limits[Ge])} to {text(limits[Le])}"
    words = {Ge: "at least", Gt: "above", Le: "at most", Lt: "below"}
    return "".join(f", {words[kind]} {text(limit)}" for kind, limit in limits.items() if limit is not None)


def _length(notes: list[Any], of: str = "") -> str:
    least = next((n.min_length for n in notes if isinstance(n, MinLen)), 0)
    most = next((n.max_length for n in notes if isinstance(n, MaxLen)), None)
    if most is None:
        return f", at least {least}{of}" if least else ""
    return f", {least} to {most}{of}" if least else f", at most {most}{of}"
