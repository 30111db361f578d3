"""Promises of the other engine's connection, where MariaDB is installed: it is held to what PostgreSQL is held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from synth_worker.database.connection import Statement, TableName
from synth_worker.database.registry import open_database
from synth_worker.errors import DatabaseRefused, QueryFailed, UnknownName
from tests.database.authority import Authority
from tests.database.mariadb_server import PRESENT, running_mariadb

pytestmark = pytest.mark.skipif(not PRESENT, reason="mariadbd is not installed")

Running = tuple[dict[str, object], pymysql.Connection]


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Running]:
    with running_mariadb() as (credentials, admin):
        with admin.cursor() as cursor:
            cursor.execute("CREATE TABLE patient_data.ward (a integer)")
            cursor.execute("GRANT SELECT ON patient_data.ward TO reader@'%'")
            cursor.execute("CREATE USER writer@'%' IDENTIFIED BY 'password of a test'")
            cursor.execute("GRANT SELECT, INSERT ON patient_data.ward TO writer@'%'")
            cursor.execute("CREATE USER ruler@'%' IDENTIFIED BY 'password of a test'")
            cursor.execute("GRANT ALL ON *.* TO ruler@'%'")
        yield credentials, admin


def test_it_is_read_over_tls_by_a_role_that_can_only_read(mariadb: Running) -> None:
    health = open_database("mariadb", mariadb[0]).health()
    assert health.encryption.startswith("TLS")
    assert (health.harmless, health.superuser, health.warnings) == (True, False, ())


def test_persons_of_another_database_are_not_asked_about_on_this_ones_budget(mariadb: Running) -> None:
    with mariadb[1].cursor() as cursor:
        cursor.execute("CREATE DATABASE empty_one")
        cursor.execute("CREATE TABLE empty_one.nothing (a integer)")
        cursor.execute("GRANT SELECT ON empty_one.nothing TO reader@'%'")
    other = open_database("mariadb", {**mariadb[0], "database": "empty_one"})
    assert list(other.columns(TableName(None, "nothing"))) == ["a"]
    assert list(other.columns(TableName("empty_one", "nothing"))) == ["a"]
    with pytest.raises(UnknownName, match="schema"):
        other.columns(TableName("patient_data", "ward"))


def test_another_authority_or_host_is_refused_without_a_word_of_the_password(mariadb: Running, tmp_path: Path) -> None:
    other = Authority("another").write(tmp_path / "other.pem")
    wrong = ({"sslrootcert": str(other)}, {"host": "127.0.0.2"}, {"password": "wrong canary"}, {"port": 1})
    for change in wrong:
        with pytest.raises(DatabaseRefused) as caught:
            open_database("mariadb", {**mariadb[0], **change})
        assert caught.value.__context__ is None
        assert "canary" not in str(caught.value)
        assert "password of a test" not in str(caught.value)


@pytest.mark.parametrize(("user", "right"), [("writer", "INSERT on patient_data.ward"), ("ruler", "SUPER")])
def test_a_role_that_could_do_more_is_refused_or_held_to_reading(mariadb: Running, user: str, right: str) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        open_database("mariadb", {**mariadb[0], "user": user})
    assert right in str(caught.value)
    database = open_database("mariadb", {**mariadb[0], "user": user, "allow_unsafe_role": True})
    for sql in (
        "INSERT INTO ward VALUES (1)",
        "SELECT a FROM ward INTO OUTFILE '/tmp/gesalp-outfile'",
        "SELECT 1; INSERT INTO ward VALUES (1)",
        "WITH a AS (SELECT 1) DELETE FROM ward",
    ):
        with database.snapshot() as snapshot, pytest.raises(QueryFailed):
            snapshot.rows(Statement(sql))
    with mariadb[1].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM patient_data.ward")
        assert cursor.fetchone() == (0,)
