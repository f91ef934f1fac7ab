"""Which tests follow one another in one process, and which run beside them in the other.

Each distinct set of sizes takes half a minute to a minute to compile, into a cache that the processes share. So files
that compile the same are together, and what many need is compiled while the other process has no need of it: real
servers first, which wait more than they compute, and kernels by themselves. The servers' tests are all in one process.
None of this decides whether a test passes: `pytest -n 0` runs them one after another.

And what tests of many rooms ask of a configuration: `given_text` loads one, `problems` says why it is refused.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from streamlstm.config import ConfigError, load

# In the order in which the processes take them; what is not here is a group of its own, by file, behind these.
GROUPS: dict[str, tuple[str, ...]] = {
    "sizes of tests.small": ("benchmarks/test_kinds.py", "model/test_beside.py"),
    "servers": (
        "system/test_mqtt.py",
        "system/test_watch.py",
        "system/test_page.py",
        "system/test_metrics.py",
        "system/test_replay.py",
        "test_cli.py",
        "system/test_same.py",
        "system/test_daemon.py",
        "system/test_flood.py",
    ),
    "sizes of the pages in config/": ("test_config_pages.py", "test_truths.py", "test_categories.py"),
    "kernels": ("kernels/", "test_quality.py"),
    "two layers": ("model/test_gradient.py", "model/test_settings.py"),
    "as in config/example.toml": ("test_estimator.py",),
}


class ByGroup(LoadScopeScheduling):
    """A group goes to one process. xdist's own "loadgroup" renames tests, which pytest 9.2 does not let it."""

    def _split_scope(self, nodeid: str) -> str:
        return _place(nodeid)[2]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order of their groups."""
    items.sort(key=lambda item: _place(item.nodeid)[:2])  # stable: within a file nothing moves


def _place(nodeid: str) -> tuple[int, int, str]:
    """The group's place, the file's place in it, the group's name."""
    file = nodeid.split("::")[0].removeprefix("tests/")
    for at, (name, files) in enumerate(GROUPS.items()):
        for within, start in enumerate(files):
            if file.startswith(start):
                return at, within, name
    return len(GROUPS), 0, file


@pytest.fixture
def given_text(tmp_path):
    """Load a text as if it were a file."""

    def loaded(text, env=None):
        file = tmp_path / "c.toml"
        file.write_text(text, encoding="utf-8")
        return load(file, env or {})

    return loaded


@pytest.fixture
def problems(given_text):
    """What is said of a text that cannot be used."""

    def refused(text, env=None):
        with pytest.raises(ConfigError) as caught:
            given_text(text, env)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return caught.value.problems

    return refused
