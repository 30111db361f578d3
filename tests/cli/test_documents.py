"""Promises of the documents: whatever a user can ask for stands in them, links lead somewhere, blocks run."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main

from synth_worker.cli import app
from synth_worker.commands.exits import BAD_INPUT, BUDGET_EXCEEDED, BUG, CANCELLED, LEDGER_UNUSABLE
from synth_worker.gates import EXIT_CODES, PROFILES, Ruling
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.registry import FAMILIES
from synth_worker.parsing import INFINITE, MISSING, MISSING_BESIDE_NUMBERS
from synth_worker.schema import Column, Kind
from synth_worker.settings import Settings
from tests.cli.made import environment, write_patients

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
BLOCK = re.compile(r"^```python runnable\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def commands(group: typer.main.TyperGroup, *before: str) -> dict[str, typer.main.TyperCommand]:
    """Return every command by the words that call it, those of groups too."""
    found: dict[str, typer.main.TyperCommand] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found.update(commands(command, *before, name))  # type: ignore[arg-type]
        else:
            found[" ".join((*before, name))] = command  # type: ignore[assignment]
    return found


COMMANDS = commands(typer.main.get_command(app))  # type: ignore[arg-type]
OPTIONS = sorted(
    {name for command in COMMANDS.values() for option in command.params for name in option.opts if name[:2] == "--"}
)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_stands_in_the_readme(option: str) -> None:
    assert f"`{option}" in TEXT["README.md"]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert f"gesalp {command}" in TEXT["README.md"]


@pytest.mark.parametrize("name", sorted({metric.name for family in FAMILIES for metric in family.metrics}))
def test_every_metric_is_explained(name: str) -> None:
    assert f"| `{name}` |" in TEXT["docs/gates.md"]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_and_its_gates_are_explained(profile: str) -> None:
    assert f"| `{profile}` |" in TEXT["docs/gates.md"]
    assert f"`{profile}`" in TEXT["README.md"]
    for gate in PROFILES[profile].gates:
        assert f"| `{gate.metric}` |" in TEXT["docs/gates.md"]


@pytest.mark.parametrize("gate", PROFILES["standard"].gates, ids=lambda gate: gate.metric)
def test_the_limits_in_the_table_are_those_in_the_code(gate: object) -> None:
    row = next(line for line in TEXT["docs/gates.md"].splitlines() if line.startswith(f"| `{gate.metric}` |"))  # type: ignore[attr-defined]
    limit, upper = (float(cell) for cell in row.strip("| ").split("|")[-2:])
    assert (limit, upper) == (gate.limit, gate.upper_limit)  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", sorted(GENERATORS))
def test_every_method_is_explained(method: str) -> None:
    assert f"| `{method}` |" in TEXT["docs/generators.md"]
    assert f"`{method}`" in TEXT["README.md"]
    assert method in str(COMMANDS["run"].get_help(typer.main.get_command(app).make_context("gesalp", ["run"])))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "code", sorted({*EXIT_CODES.values(), BAD_INPUT, BUG, CANCELLED, BUDGET_EXCEEDED, LEDGER_UNUSABLE})
)
def test_every_exit_code_is_explained(code: int) -> None:
    assert f"| {code} |" in TEXT["README.md"]


@pytest.mark.parametrize("ruling", sorted(Ruling))
def test_every_ruling_is_explained(ruling: Ruling) -> None:
    assert f"| `{ruling}` |" in TEXT["docs/gates.md"]


@pytest.mark.parametrize("kind", sorted(Kind))
def test_every_kind_of_column_is_explained(kind: Kind) -> None:
    assert f"| `{kind}` |" in TEXT["docs/reading.md"]


@pytest.mark.parametrize("token", sorted((MISSING | MISSING_BESIDE_NUMBERS) - INFINITE - {""}))
def test_every_text_that_means_absent_is_listed(token: str) -> None:
    assert f"`{token}`" in TEXT["docs/reading.md"]


@pytest.mark.parametrize("key", sorted(field.name for field in fields(Column)))
def test_every_key_of_a_schema_is_explained(key: str) -> None:
    assert f"`{key}`" in TEXT["docs/reading.md"]


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_explained(setting: str) -> None:
    assert f"| `GESALP_{setting.upper()}` |" in TEXT["docs/reproduce.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", sorted(name for name, text in TEXT.items() if BLOCK.search(text)))
def test_runnable_blocks_run(page: str, tmp_path: Path) -> None:
    write_patients(tmp_path)
    code = "\n".join(BLOCK.findall(TEXT[page]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_decision_is_listed() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        assert f"decisions/{page.name}" in TEXT["docs/design.md"]


def test_the_modules_that_the_design_names_exist() -> None:
    table = TEXT["docs/design.md"].split("## Who does what")[1].split("## Decisions")[0]
    for row in table.splitlines():
        for name in re.findall(r"`([a-z_]+/?)`", row.split("|")[1] if row.startswith("|") else ""):
            home = ROOT / "backend" / "synth_worker" / (name if name.endswith("/") else f"{name}.py")
            assert home.exists(), name


def test_no_page_promises_that_a_law_is_met() -> None:
    for name, text in TEXT.items():
        found = re.findall(r"[^.|\n]*complian[^.|\n]*", text, re.IGNORECASE)
        assert not found, f"{name}: {found}"
