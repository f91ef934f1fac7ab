"""Lint, format and types, as tests: so that one command says whether all is well."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKS = {
    "the_linter_finds_nothing": ["ruff", "check", "--no-cache", "."],
    "the_formatter_would_change_nothing": ["ruff", "format", "--no-cache", "--check", "."],
    "the_types_hold": ["mypy"],
}


@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS)
def test_a_check_of_the_source_passes(command):
    ran = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
