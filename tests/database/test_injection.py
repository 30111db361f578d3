"""Promises against injection: 2,000 attacks reach no server as anything but one read-only SELECT over allowed names."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from synth_worker.errors import BadInput
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import SecureQuerySampler
from synth_worker.settings import Settings
from tests.database import injecting
from tests.database.attacks import KNOWN, attack
from tests.database.injecting import Found, Watched, sent, wrong_in_log
from tests.database.made import Trail
from tests.database.server import Server
from tests.database.watching_statements import COUNTING, is_ours, logged_statements, wrong_with

ATTACKS = 2_000


def judged(found: Found, count: int) -> None:
    assert not found.wrong, found.wrong[:5]
    # Attacks that are all refused at the first word would show nothing: many conditions are sound and must be answered.
    assert found.answered > count / 10
    assert sum(found.outcomes.values()) == count
    assert found.statements >= found.answered


def test_the_server_s_own_log_holds_nothing_else(server: Server, tmp_path: Path) -> None:
    since = len(server.logged())
    with injecting.postgres(server) as database:
        judged(sent(database, tmp_path, count=ATTACKS, seed=1), ATTACKS)
        with server.admin("injected") as admin:
            assert admin.execute("SELECT count(*) FROM patients").fetchone() == (len(injecting.ROWS),)
    logged, wrong = wrong_in_log(server, since)
    assert not wrong, wrong[:5]
    assert logged > ATTACKS / 10


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_embedded_engines_are_asked_nothing_else(engine: str, tmp_path: Path) -> None:
    database: Watched = {"duckdb": injecting.duck, "sqlite": injecting.sqlite}[engine](tmp_path)
    judged(sent(database, tmp_path / "home", count=ATTACKS // 2, seed=2), ATTACKS // 2)


LABELS = [*dict.fromkeys(one[:300] for one in KNOWN if "\x00" not in one)]


def counted(database: Watched, home: Path, **more: object) -> None:
    """Ask for a private table: labels, bounds and units are what a caller can put into its counts."""
    settings = Settings(home=home)
    sampler = SecureQuerySampler(database, settings=settings, event=lambda _: None, audit=Trail())
    asked = {"dp_epsilon": 0.5, "bounds": {"age": (0, 100)}, "categories": {"name": LABELS}, **more}
    sampler.sample(QueryConfig("patients", ("age", "name"), "name <> 'it''s'", 5, **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["postgresql", "duckdb", "sqlite"])
def test_labels_units_and_bounds_of_a_caller_reach_no_statement_as_sql(
    engine: str, server: Server, tmp_path: Path
) -> None:
    evil = 'age" FROM secret; --'
    with contextlib.ExitStack() as stack:
        if engine == "postgresql":
            database = stack.enter_context(injecting.postgres(server))
        else:
            database = {"duckdb": injecting.duck, "sqlite": injecting.sqlite}[engine](tmp_path)
        since = len(server.logged()) if engine == "postgresql" else 0
        counted(database, tmp_path / "home")
        counted(database, tmp_path / "other", privacy_unit="seen", max_rows_per_unit=2)
        for field in ("privacy_unit", "public_columns", "sensitive_columns", "bounds", "categories"):
            value = {"privacy_unit": evil, "bounds": {evil: (0, 1)}, "categories": {evil: ["a"]}}.get(field, [evil])
            with pytest.raises(BadInput):
                counted(database, tmp_path / "home", **{field: value})
        assert not [what for sql in database.statements if (what := wrong_with(sql, more=COUNTING))]
        assert len(database.statements) > 3
        database.close()
        if engine == "postgresql":
            logged, wrong = wrong_in_log(server, since, more=COUNTING)
            assert logged > 3
            assert not wrong, wrong[:3]


SMUGGLED = (
    "SELECT a FROM b; DROP TABLE patients",
    'SELECT "age" FROM "secret"',
    'SELECT "age" FROM "patients" -- x',
    'SELECT "age" FROM "patients" WHERE pg_sleep(1) IS NULL',
    'COPY (SELECT "age" FROM "patients") TO PROGRAM \'id\'',
    'SELECT "age" FROM "patients" UNION SELECT told FROM secret',
    "DELETE FROM patients",
    'SELECT "age" FROM "patients" WHERE "name" = \'a\' OR 1=1 --\'',
    'SELECT "told" FROM "patients"',
    "SELECT set_config('a', 'b', false)",
)


@pytest.mark.parametrize("sql", SMUGGLED)
def test_the_judge_sees_what_was_smuggled_in(sql: str) -> None:
    assert wrong_with(sql)
    assert not is_ours(sql)


def test_the_judge_lets_pass_what_is_ours() -> None:
    assert not wrong_with('SELECT v0 FROM (SELECT "age" AS v0 FROM "patients" WHERE (("age" >= $1))) AS kept LIMIT 5')
    assert not wrong_with(
        'COPY (SELECT "age" FROM "patients" WHERE "name" = \'x; DROP -- it\'\'s\'\n) TO STDOUT (FORMAT csv)'
    )
    assert is_ours("SELECT set_config($1, $2, false), set_config($3, $4, false)")


def test_a_line_in_a_value_does_not_pass_for_a_line_of_the_log() -> None:
    log = (
        "2026-01-01 00:00:00.000 UTC [1] gesalp reader: LOG:  statement: SELECT 'a\n\t2026-01-01 b'\n2026 DETAIL:  x\n"
    )
    assert list(logged_statements(log)) == ["SELECT 'a\n2026-01-01 b'"]


def test_attacks_of_a_number_are_always_the_same() -> None:
    one, two = random.Random(3), random.Random(3)
    assert [attack(one, place) for place in range(300)] == [attack(two, place) for place in range(300)]
    assert len(KNOWN) > 150
