"""Promises of a quick start: help needs nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("pandas", "sklearn", "torch", "scipy", "numpy", "pyarrow", "duckdb")


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import synth_worker",
        "import synth_worker.cli",
        "import typer.main, synth_worker.cli as c\n"
        "typer.main.get_command(c.app)(args=['run', '--help'], standalone_mode=False)",
        "import typer.main, synth_worker.cli as c\n"
        "typer.main.get_command(c.app)(args=['--version'], standalone_mode=False)",
    ],
)
def test_neither_the_package_nor_help_loads_anything_heavy(statement: str) -> None:
    assert not loaded_by(statement) & set(HEAVY)
