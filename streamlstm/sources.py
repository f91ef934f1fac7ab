"""Where settings come from: a file of TOML, and the environment over it. What they mean is `config`'s to say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from streamlstm.problems import ConfigError, Where, place, shown

PREFIX = "STREAMLSTM_"  # of environment variables
FILES = ("password_file", "ca_file", "cert_file", "key_file")


def parsed(path: Path) -> dict[str, Any]:
    """The file's tables, or a ConfigError that says why there are none."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError as error:
        raise ConfigError([f"{path}: no such file; need a configuration in TOML"]) from error
    except IsADirectoryError as error:
        raise ConfigError([f"{path}: is a directory; need a configuration file in TOML"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: byte {error.start} is not UTF-8; need TOML in UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        if found is None:
            raise ConfigError([f"{path}: {error}"]) from error
        line = found[2] or str(len(text.splitlines()))
        at = f"line {line}, column {found[3]}" if found[3] else f"line {line}, at its end"
        raise ConfigError([f"{path}, {at}: {found[1]}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{path}: nested too deep"]) from error


def overlaid(
    raw: dict[str, Any], env: Mapping[str, str], sections: Container[str]
) -> tuple[dict[Where, str], list[str]]:
    """Put the environment's settings over the file's. Returns where each came from, and what is wrong with them.

    sections: what the top of the file may hold. A variable without "__" that names no setting is left alone: Kubernetes
    sets STREAMLSTM_PORT and the like in every container beside a service of that name.
    """
    variables: dict[Where, str] = {}
    problems: list[str] = []
    for name in sorted(env):
        keys = name.removeprefix(PREFIX).lower().split("__")
        if not name.startswith(PREFIX) or (len(keys) == 1 and keys[0] not in sections):
            continue
        node: Any = raw
        where: Where = ()
        for key in keys:
            if isinstance(node, list) and not (key.isdecimal() and int(key) < len(node)):
                problems.append(f"{name}: need a number, 0 to {len(node) - 1}, in place of {key!r}")
                break
            step = int(key) if isinstance(node, list) else key
            where = (*where, step)
            if len(where) == len(keys):
                try:
                    node[step] = _as_toml(env[name])
                    variables[where] = name
                except tomllib.TOMLDecodeError:
                    problems.append(f"{name} = {shown(env[name])}: need a list or table as TOML writes it")
            else:
                node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
                if not isinstance(node, dict | list):
                    problems.append(f"{name}: {place(where, raw)} is a value, not a table")
                    break
    return variables, problems


def _as_toml(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"] if text.startswith(("[", "{")) else text


def files(raw: dict[str, Any], folder: Path) -> list[str]:
    """Start relative paths at the configuration's folder, and see whether the files can be read."""
    problems = []
    state = raw.get("state")
    if isinstance(state, dict) and isinstance(state.get("directory"), str):
        state["directory"] = str(folder / state["directory"])
    mqtt = raw.get("mqtt")
    if not isinstance(mqtt, dict):
        return []
    for name in FILES:
        if not isinstance(mqtt.get(name), str):
            continue
        file = folder / mqtt[name]
        mqtt[name] = str(file)
        try:
            with file.open("rb"):
                pass
        except OSError as error:
            problems.append(f"mqtt.{name} = {shown(str(file))}: {(error.strerror or 'cannot be read').lower()}")
        except ValueError:  # a NUL
            problems.append(f"mqtt.{name} = {shown(str(file))}: need a path")
    return problems
