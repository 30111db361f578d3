"""Promises about roles: one that could do more than read is told and refused, and none gets more than its SELECT."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import psycopg
import pytest

from synth_worker.database.connection import Statement, TableName
from synth_worker.database.grants import grant_script
from synth_worker.database.registry import open_database
from synth_worker.errors import BadInput, DatabaseRefused, QueryFailed, UnknownName
from tests.database.server import ADMIN, ADMIN_PASSWORD, PASSWORD, Server

RIGHTS = {
    "inserter": ("GRANT INSERT ON ward TO inserter", "public.ward"),
    "updater": ("GRANT UPDATE (name) ON ward TO updater", "public.ward"),
    "truncater": ("GRANT TRUNCATE ON ward TO truncater", "public.ward"),
    "maker": ("GRANT CREATE ON SCHEMA public TO maker", "CREATE in schema public"),
    "founder": ("GRANT CREATE ON DATABASE patient_data TO founder", "CREATE in database patient_data"),
    "counter": ("GRANT USAGE ON SEQUENCE tickets TO counter", "public.tickets"),
    "member": ("GRANT pg_write_all_data TO member", "member of pg_write_all_data"),
    "filer": ("GRANT pg_read_server_files TO filer", "member of pg_read_server_files"),
    "roler": ("ALTER ROLE roler CREATEROLE", "CREATE ROLE"),
    "bypasser": ("ALTER ROLE bypasser BYPASSRLS", "BYPASSRLS"),
    "owner": ("ALTER TABLE owned OWNER TO owner", "owns: public.owned"),
    "climber": (f"GRANT {ADMIN} TO climber", "is a superuser"),
}


PINNED = {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "statement_timeout": "12s",
    "lock_timeout": "5s",
    "TimeZone": "UTC",
    "idle_in_transaction_session_timeout": "10min",
    "search_path": 'pg_catalog, "public", pg_temp',
    "application_name": "gesalp",
    "DateStyle": "ISO, YMD",
    "client_encoding": "UTF8",
}


@pytest.fixture(scope="module")
def wards(server: Server) -> Iterator[Server]:
    server.run(
        "CREATE TABLE ward (id integer, name text)",
        "INSERT INTO ward VALUES (1, 'canary of ward')",
        "CREATE TABLE owned (a integer)",
        "CREATE TABLE hidden (a integer)",
        "INSERT INTO hidden VALUES (1)",
        "CREATE TABLE partly (open integer, closed text)",
        "INSERT INTO partly VALUES (1, 'closed')",
        "CREATE SEQUENCE tickets",
        "GRANT SELECT ON ward TO reader",
        "GRANT SELECT (open) ON partly TO reader",
    )
    for role, (right, _) in RIGHTS.items():
        server.role(role, f"GRANT USAGE ON SCHEMA public TO {role}", f"GRANT SELECT ON ward TO {role}", right)
    yield server
    server.run(*(f"REASSIGN OWNED BY {one} TO {ADMIN}" for one in RIGHTS), *(f"DROP OWNED BY {one}" for one in RIGHTS))
    server.run(
        *(f"DROP ROLE {one}" for one in RIGHTS), "DROP TABLE ward, owned, hidden, partly", "DROP SEQUENCE tickets"
    )


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_that_could_do_more_than_read_is_refused_and_its_right_named(wards: Server, role: str) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        open_database("postgresql", wards.credentials(role))
    assert RIGHTS[role][1] in str(caught.value)
    assert "allow_unsafe_role" in str(caught.value)


@pytest.mark.parametrize("role", ["inserter", "owner", "climber"])
def test_it_may_be_allowed_which_is_logged_and_still_nothing_is_written(
    wards: Server, role: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        database = open_database("postgresql", wards.credentials(role, allow_unsafe_role=True))
    assert RIGHTS[role][1] in caplog.text
    assert not database.health().harmless
    for door in ("rows", "arrow"):
        for sql in (
            "INSERT INTO ward VALUES (2, 'x') RETURNING id",
            "WITH new AS (INSERT INTO ward VALUES (2, 'x') RETURNING id) SELECT id FROM new",
            "SELECT nextval('tickets')",
            "SELECT set_config('transaction_read_only', 'off', false)",
            "SELECT id INTO copied FROM ward",
            "SELECT id FROM ward FOR UPDATE",
        ):
            with database.snapshot() as snapshot, pytest.raises(QueryFailed):
                getattr(snapshot, door)(Statement(sql))
    with wards.admin("patient_data") as connection:
        assert connection.execute("SELECT count(*) FROM ward").fetchone() == (1,)


def test_tables_and_columns_without_a_grant_are_not_there(wards: Server) -> None:
    database = open_database("postgresql", wards.credentials())
    assert list(database.columns(TableName(None, "partly"))) == ["open"]
    for name in ("hidden", "owned", "pg_authid", "pg_class"):
        with pytest.raises(UnknownName) as caught:
            database.columns(TableName(None, name))
        assert name not in caught.value.hint
    with pytest.raises(UnknownName):
        database.columns(TableName("pg_catalog", "pg_class"))
    for door in ("rows", "arrow"):
        for sql in ("SELECT a FROM hidden", "SELECT closed FROM partly", "SELECT rolpassword FROM pg_authid"):
            with database.snapshot() as snapshot, pytest.raises(QueryFailed):
                getattr(snapshot, door)(Statement(sql))


def test_a_snapshot_is_read_only_repeatable_and_timed_and_its_names_are_pinned(wards: Server) -> None:
    wards.run("ALTER ROLE reader SET search_path = evil", "ALTER ROLE reader SET DateStyle = 'German'")
    try:
        database = open_database("postgresql", {**wards.credentials(), "statement_seconds": 12})
        names = list(PINNED)
        with database.snapshot() as snapshot:
            asked = ", ".join(f"current_setting('{one}')" for one in names)
            [found] = snapshot.rows(Statement(f"SELECT {asked}"))
    finally:
        wards.run("ALTER ROLE reader RESET ALL")
    assert dict(zip(names, found, strict=True)) == PINNED


@pytest.mark.parametrize("door", ["rows", "arrow"])
def test_a_statement_that_takes_too_long_is_ended(wards: Server, door: str, caplog: pytest.LogCaptureFixture) -> None:
    database = open_database("postgresql", {**wards.credentials(), "statement_seconds": 0.05})
    with database.snapshot() as snapshot, pytest.raises(QueryFailed):
        getattr(snapshot, door)(Statement("SELECT count(*) FROM generate_series(1, 100000000)"))
    assert "QueryCanceled 57014" in caplog.text


def test_a_table_that_is_locked_is_waited_for_no_longer_than_was_said(wards: Server) -> None:
    database = open_database("postgresql", wards.credentials())
    with wards.admin("patient_data") as admin, admin.transaction():
        admin.execute("LOCK TABLE ward IN ACCESS EXCLUSIVE MODE")
        object.__setattr__(database, "limits", type(database.limits)(lock_seconds=0.05))  # type: ignore[attr-defined]
        with database.snapshot() as snapshot, pytest.raises(QueryFailed):
            snapshot.rows(Statement("SELECT id FROM ward"))


def test_the_server_s_words_which_quote_a_value_reach_nobody(wards: Server, caplog: pytest.LogCaptureFixture) -> None:
    database = open_database("postgresql", wards.credentials())
    for door in ("rows", "arrow"):
        with caplog.at_level(logging.DEBUG), database.snapshot() as snapshot, pytest.raises(QueryFailed) as caught:
            getattr(snapshot, door)(Statement("SELECT CAST(name AS integer) FROM ward"))
        assert str(caught.value).startswith("the database could not answer the query")
        assert caught.value.__context__ is None
    assert "canary of ward" in wards.logged()
    assert "canary" not in caplog.text
    assert "22P02" in caplog.text


def run_script(server: Server, script: str) -> None:
    """Run a script for psql, which is not among the programs that the tests need."""
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=ADMIN, password=ADMIN_PASSWORD, dbname="patient_data", autocommit=True
    ) as admin:
        admin.execute("\n".join(line for line in script.splitlines() if not line.startswith("\\")).encode())


def test_the_script_makes_a_role_that_reads_what_was_named_and_nothing_else(wards: Server) -> None:
    wards.run('CREATE SCHEMA "Odd ""one"', 'CREATE TABLE "Odd ""one"."it\'s" (a integer, b integer)')
    odd = TableName('Odd "one', "it's")
    script = grant_script('least "priv', {TableName(None, "ward"): [], odd: ["b"]}, database="patient_data")
    assert "PASSWORD '" not in script
    try:
        run_script(wards, script)
        wards.run(f'ALTER ROLE "least ""priv" PASSWORD \'{PASSWORD}\'')
        wards.secrets['least "priv'] = PASSWORD
        database = open_database("postgresql", wards.credentials('least "priv'))
        assert database.health().harmless
        assert list(database.columns(TableName(None, "ward"))) == ["id", "name"]
        assert list(database.columns(odd)) == ["b"]
        with database.snapshot() as snapshot, pytest.raises(QueryFailed):
            snapshot.rows(Statement("SELECT a FROM hidden"))
    finally:
        wards.run('DROP OWNED BY "least ""priv"', 'DROP ROLE "least ""priv"', 'DROP SCHEMA "Odd ""one" CASCADE')


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 64])
def test_a_script_for_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        grant_script(name, {TableName(None, "ward"): []}, database="patient_data")
    with pytest.raises(BadInput):
        grant_script("reader", {}, database="patient_data")
