"""The house rules of ARCHITECTURE.md, read from the source: who may import whom, and who may do what."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "streamlstm"

# Which floor each room is on; a room imports only from lower floors, and within itself.
FLOORS = {
    "events": 0, "config": 0, "kernels": 0, "problems": 0, "units": 0, "naming": 0, "conflicts": 0, "sources": 0,
    "kinds": 0, "understood": 0, "resolutions": 0, "sections": 0,
    "distribution": 1,
    "timeline": 1,
    "codec": 2, "model": 2, "store": 2,
    "engine": 3,
    "daemon": 4, "estimator": 4, "evaluate": 4,
    "cli": 5,
}  # fmt: skip

# Files that belong to a room of another name.
ROOMS = {
    "member": "engine", "living": "engine", "roster": "engine",
    "shelf": "engine", "opening": "engine", "happenings": "engine", "agreement": "engine",
    "golden": "engine",
    "scores": "evaluate", "rivals": "evaluate", "picture": "evaluate",
    "cli_backtest": "cli", "cli_replay": "cli", "cli_state": "cli", "cli_check": "cli", "cli_undo": "cli",
    "__main__": "cli",
}  # fmt: skip

BESIDE = {
    "config": {"problems", "units", "naming", "conflicts", "sources", "kinds", "resolutions", "sections"},
    "understood": {"problems", "units", "config", "resolutions"},
    "resolutions": {"problems", "units", "config", "conflicts"},
    "sections": {"problems", "units", "naming"},
    "problems": {"units"},
    "sources": {"problems"},
    "kinds": {"problems", "config"},
    "conflicts": {"problems", "units", "naming", "config", "sections"},
}  # the pages that word the settings

PURE = {"kernels", "events", "distribution", "timeline", "codec", "model", "engine", "estimator", "evaluate"}
# What waits, asks the clock, rolls dice or touches the system: none of it belongs in a pure room.
IMPURE = {
    "time", "os", "socket", "threading", "random", "logging", "secrets", "subprocess", "asyncio", "multiprocessing",
    "sqlite3", "tempfile", "shutil", "paho", "prometheus_client", "starlette", "uvicorn",
}  # fmt: skip
ALLOWED = {"kernels.__init__": {"tempfile"}}  # where the compiler keeps its cache when there is no home
KERNELS_MAY = {"numpy", "numba", "math", "streamlstm", "llvmlite"}

# Files that import what is slow, or what only few need, when they themselves are imported.
ONLY_IN = {
    "river": {"estimator"},
    "holidays": set(),
    "plotly": {"picture", "daemon.app"},
    "typer": {"cli"},
    "rich": {"cli", "cli_backtest", "cli_replay", "cli_state", "cli_check", "daemon.demo"},
    "paho": {"daemon.mqtt", "daemon.client"},
    "iotcore": set(),
    "prometheus_client": {"daemon.metrics", "daemon.app"},
}
OPENS_FILES = {"sources", "cli_backtest", "cli_replay", "daemon.broker", "daemon.demo", "daemon.endpoint", "daemon.app"}
LONGEST = 450  # lines


def modules():
    return {
        path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in PACKAGE.rglob("*.py")
    }


SOURCES = {name: path.read_text(encoding="utf-8") for name, path in modules().items()}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}
PACKAGES = [name for name in sorted(SOURCES) if name != "__init__"]  # the map itself lies on no floor


def room(name):
    first = name.split(".")[0]
    return ROOMS.get(first, first)


def imports(tree, top_level_only=False):
    """Every module named by an import statement of a file."""
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"
            if node.module == "streamlstm" and not node.level:
                yield from (f"streamlstm.{alias.name}" for alias in node.names)


def own_imports(name):
    """The rooms of ours that a file imports, also those imported late."""
    found = {target for target in imports(TREES[name]) if target.split(".")[0] == "streamlstm" and "." in target}
    return {(room(target.removeprefix("streamlstm.")), target) for target in found}


def test_every_room_is_on_a_floor():
    assert {room(name) for name in PACKAGES} - {"kernels.__init__"} <= set(FLOORS)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_room_imports_only_from_lower_floors_and_from_itself(name):
    here = room(name)
    lower = {there for there in FLOORS if FLOORS[there] < FLOORS[here]} | {here} | BESIDE.get(here, set())
    assert sorted(target for there, target in own_imports(name) if there not in lower) == []


@pytest.mark.parametrize("name", [name for name in PACKAGES if room(name) in PURE])
def test_a_pure_room_has_no_clock_no_dice_no_threads_and_no_system(name):
    found = {target.split(".")[0] for target in imports(TREES[name])} & IMPURE
    assert sorted(found - ALLOWED.get(name, set())) == []


@pytest.mark.parametrize("name", [name for name in PACKAGES if room(name) == "kernels" and "__init__" not in name])
def test_a_kernel_imports_arithmetic_and_nothing_else(name):
    used = {target.split(".")[0] for target in imports(TREES[name])} - {"__future__", "collections", "typing"}
    assert used <= KERNELS_MAY
    assert {there for there, _ in own_imports(name)} <= {"kernels"}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_imports_are_absolute(name):
    assert [target for target in imports(TREES[name]) if target.startswith(".")] == []


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_is_imported_at_the_top_only_of_the_files_that_are_about_it(library):
    users = {
        name
        for name, tree in TREES.items()
        if any(target.split(".")[0] == library for target in imports(tree, top_level_only=True))
    }
    assert users <= ONLY_IN[library]


def test_river_is_imported_only_by_the_estimator_and_the_rivals():
    users = {name for name, tree in TREES.items() if any(t.split(".")[0] == "river" for t in imports(tree))}
    assert users == {"estimator", "rivals"}


def test_the_daemon_starts_without_what_only_others_need():
    code = "import sys, streamlstm.daemon.run, streamlstm.cli; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in ran.stdout.split()}
    assert "streamlstm" in loaded
    assert loaded & {"river", "pandas", "sklearn", "iotcore", "matplotlib"} == set()
    assert {"streamlstm.evaluate", "scipy.special"}.isdisjoint(ran.stdout.split())  # numba asks scipy its version


def test_the_package_itself_loads_nothing_but_the_forecaster_and_that_on_demand():
    code = "import sys, streamlstm; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numba", "river", "pydantic"}.isdisjoint(ran.stdout.split())


def opens(tree):
    """Whether a file calls open, or a method that reads or writes a whole file."""
    names = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "fdopen", "mkstemp"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in names and "resources.files" not in ast.unparse(node):  # data of the package itself
                yield called


@pytest.mark.parametrize("name", [name for name in PACKAGES if room(name) not in ("store", "kernels")])
def test_only_rooms_that_are_about_files_open_them(name):
    assert name in OPENS_FILES or list(opens(TREES[name])) == []


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_file_says_first_what_it_keeps_and_is_not_too_long_to_read(name):
    if SOURCES[name].strip():
        assert ast.get_docstring(TREES[name])
    assert SOURCES[name].count("\n") <= LONGEST


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_mistake_is_swallowed_in_silence(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ExceptHandler):
            broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            silent = all(isinstance(line, ast.Pass) for line in node.body)
            assert node.type is not None and not (broad and silent), f"{name}, line {node.lineno}"


def tracked():
    """The repository's files; from the disk where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    found = [ROOT / name for name in names] or [
        path for part in ("streamlstm", "tests") for path in (ROOT / part).rglob("*")
    ]
    return [path for path in found if path.is_file() and path.suffix not in (".png", ".svg", ".ico")]


def test_no_file_names_a_machine_or_a_registry():
    machine = re.compile(
        r"(?<![\w.])/(?:home|root|work|Users|tmp/s)/\w|https?://[\w.-]*(?:pypi|npmjs|debian|anaconda)\."
    )
    found = {}
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path != Path(__file__) and (hits := machine.findall(text)):
            found[path.relative_to(ROOT).as_posix()] = hits
    assert found == {}
