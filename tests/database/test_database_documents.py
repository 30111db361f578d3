"""Promises of the page about databases: engines, credentials, operators and limits stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth_worker.database import mariadb, postgres_tls
from synth_worker.database.clause import LONGEST, MOST_OPEN
from synth_worker.database.filters import MOST_PARTS, MOST_VALUES, OPERATORS
from synth_worker.database.registry import ENGINES

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
CREDENTIALS = {*postgres_tls.NEEDED, *postgres_tls.KNOWN, *mariadb.NEEDED, *mariadb.KNOWN, "path", "name", "types"}
LIMITS = (
    f"at most {LONGEST:,} characters, {MOST_PARTS} comparisons",
    f"{MOST_VALUES:,} values in a list and {MOST_OPEN} open brackets",
)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_its_line(engine: str) -> None:
    assert f"| `{engine}` |" in PAGE


@pytest.mark.parametrize("key", sorted(CREDENTIALS))
def test_every_credential_is_named(key: str) -> None:
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_named(operator: str) -> None:
    assert f"`{operator}`" in PAGE


@pytest.mark.parametrize("limit", LIMITS)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert limit in " ".join(PAGE.split())
