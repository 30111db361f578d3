"""Promises of the made-up hospital in PostgreSQL: filled once, whole or not at all, and the view can be asked."""

from __future__ import annotations

import pytest

from synth_worker.database.connection import Statement, TableName
from synth_worker.database.registry import open_database
from synth_worker.demo.hospital import blocks
from synth_worker.demo.hospital_store import VIEW, write_postgres
from synth_worker.errors import BadInput, DatabaseRefused, QueryFailed
from tests.database.server import ADMIN, Server


@pytest.fixture(scope="module")
def filled(server: Server) -> dict[str, int]:
    server.run("CREATE DATABASE hospital", database="postgres")
    rows = write_postgres(blocks(300), server.credentials(ADMIN, database="hospital"))
    server.run(f"GRANT SELECT ON {VIEW} TO reader", database="hospital")
    return rows


def test_a_reader_sees_the_view_of_a_filled_database(server: Server, filled: dict[str, int]) -> None:
    database = open_database("postgresql", server.credentials(database="hospital"))
    declared = database.columns(TableName(None, VIEW))
    assert (declared["age"], declared["date"]) == ("integer", "date")
    with database.snapshot() as snapshot:
        [(rows, youngest, missing)] = snapshot.rows(
            Statement("SELECT count(*), min(age), count(*) - count(gender) FROM patient_records")
        )
    assert rows == filled[VIEW]
    assert youngest == 0
    assert missing != rows


def test_a_database_that_holds_such_tables_is_left_as_it_is(server: Server, filled: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="admissions, diagnoses, patient_records, patients already"):
        write_postgres(blocks(5), server.credentials(ADMIN, database="hospital"))
    with server.admin("hospital") as connection:
        assert connection.execute("SELECT count(*) FROM patients").fetchone() == (filled["patients"],)


def test_a_role_that_may_not_create_and_a_wrong_password_are_refused(server: Server) -> None:
    server.run("CREATE DATABASE empty_house", database="postgres")
    with pytest.raises(QueryFailed, match="refused to be filled"):
        write_postgres(blocks(5), server.credentials(database="empty_house"))
    with pytest.raises(DatabaseRefused, match="does not know this user and password") as caught:
        write_postgres(blocks(5), {**server.credentials(ADMIN), "password": "canary-5150"})
    assert "canary" not in repr(caught.value) + str(caught.traceback)
