"""Promises of a ledger, wherever it is kept: the same tests for both stores, and those of many hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synth_worker.database.audit import open_audit
from synth_worker.database.ledger import ANCHOR, FOLDER, KEY, PostgresLedger
from synth_worker.database.ledgers import open_ledger
from synth_worker.errors import BadInput, BudgetExceeded, DatabaseRefused, LedgerUnusable, UnknownName
from synth_worker.privacy.budget import NOTHING, Budget, Cost
from synth_worker.privacy.chain import Chain
from synth_worker.privacy.entries import Request
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.settings import Settings
from tests.cli.made import COMMAND, environment
from tests.database.server import ADMIN, Server

Open = Callable[..., Chain]
BUDGET = Budget(3.0, 1e-6)
TAKEN: list[str] = []


@pytest.fixture
def database(server: Server) -> str:
    """Return a fresh database with a role ``keeper`` that may make a schema in it."""
    name = f"ledger_{len(TAKEN)}"
    TAKEN.append(name)
    server.run(f"CREATE DATABASE {name}", database="postgres")
    if "keeper" not in server.secrets:
        server.role("keeper")
    server.run(f"GRANT CREATE ON DATABASE {name} TO keeper", database=name)
    return name


@pytest.fixture(params=["file", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens the same ledger again and again; of PostgreSQL with another home, another host."""
    if request.param == "file":
        return lambda home=tmp_path, **more: FileLedger(home, **more)
    server: Server = request.getfixturevalue("server")
    name: str = request.getfixturevalue("database")
    return lambda home=tmp_path, **more: PostgresLedger(server.credentials("keeper", database=name), home, **more)


@pytest.fixture
def ledger(opened: Open) -> Iterator[Chain]:
    with opened(create=True) as found:
        found.open("ward", BUDGET)
        yield found


def asked(ledger: Chain, text: str = "{}", *, who: str = "ada", population: str = "ward") -> Request:
    return Request(population, who, text, ledger.fingerprint(b"content"))


def test_what_is_spent_is_seen_by_all_and_forgotten_by_none(opened: Open, ledger: Chain) -> None:
    receipt = ledger.spend(asked(ledger), Cost(1_000))
    with opened() as other:
        assert other.pools()["ward"].spent == Cost(1_000)
        assert other.knows(sequence=receipt.sequence, mark=receipt.mark)
        assert not other.knows(sequence=receipt.sequence, mark="0" * 64)
        other.spend(asked(other, "[]"), Cost(500))
    assert ledger.pools()["ward"].spent == Cost(1_500)
    assert ledger.verify() == 4


def test_more_than_is_left_is_refused_and_nothing_is_charged(ledger: Chain) -> None:
    limit = ledger.pools()["ward"].limit
    ledger.spend(asked(ledger), Cost(limit.rho_nano))
    with pytest.raises(BudgetExceeded, match="nothing was charged"):
        ledger.spend(asked(ledger, "[]"), Cost(1))
    assert ledger.pools()["ward"].spent == Cost(limit.rho_nano)
    assert ledger.verify() == 3


def test_an_answered_request_is_replayed_and_a_lost_answer_charged_again(opened: Open, ledger: Chain) -> None:
    receipt = ledger.spend(asked(ledger), Cost(10))
    assert not ledger.settled(receipt)
    ledger.settle(receipt, reference="answers/1")
    assert ledger.settled(receipt)
    with opened() as other:
        assert other.answer(asked(other)) == "answers/1"
        replay = other.spend(asked(other, who="bob"), Cost(10))
        assert (replay.charged, replay.reference) == (NOTHING, "answers/1")
        assert other.spend(asked(other), Cost(10), again=True).charged == Cost(10)
    assert ledger.pools()["ward"].spent == Cost(20)


def test_quotas_unknown_populations_and_changed_budgets_are_refused(ledger: Chain) -> None:
    with pytest.raises(UnknownName):
        ledger.spend(asked(ledger, population="other"), Cost(1))
    with pytest.raises(BadInput, match="fixed once"):
        ledger.open("ward", Budget(4.0, 1e-6))
    ledger.open("ward", BUDGET, quotas={"ada": Cost(5)})
    ledger.spend(asked(ledger), Cost(5))
    for who, cost in (("ada", 1), ("bob", 1)):
        with pytest.raises(BudgetExceeded):
            ledger.spend(asked(ledger, "[]", who=who), Cost(cost))


def test_what_no_budget_bounds_and_the_audit_log_are_remembered(opened: Open, ledger: Chain) -> None:
    ledger.note_unbounded(asked(ledger), what="raw rows")
    assert ledger.audit_log() == ""
    ledger.note_audit_log("abc")
    with opened() as other:
        assert other.pools()["ward"].unbounded == ("raw rows",)
        assert other.audit_log() == "abc"
        with pytest.raises(BadInput, match="another audit log"):
            other.note_audit_log("def")


def test_a_ledger_that_was_never_begun_is_refused(opened: Open) -> None:
    with pytest.raises(LedgerUnusable, match="gesalp ledger open"):
        opened()


# ---- PostgreSQL alone


SPENDER = """
import os, sys
from pathlib import Path
from synth_worker.database.ledger import PostgresLedger
from synth_worker.errors import BudgetExceeded
from synth_worker.privacy.budget import Cost
from synth_worker.privacy.entries import Request
credentials = {"host": "localhost", "port": sys.argv[2], "database": sys.argv[3], "user": "keeper",
               "password": os.environ["HELD"], "sslrootcert": sys.argv[4]}
won = 0
with PostgresLedger(credentials, Path(sys.argv[1])) as ledger:
    for number in range(3):
        try:
            ledger.spend(Request("ward", "ada", f"{sys.argv[5]} {number}", "d"), Cost(int(sys.argv[6])))
            won += 1
        except BudgetExceeded:
            pass
print(won)
"""


def test_sixteen_hosts_at_once_never_spend_more_than_there_is(server: Server, database: str, tmp_path: Path) -> None:
    homes = [tmp_path / str(number) for number in range(16)]
    with PostgresLedger(server.credentials("keeper", database=database), homes[0], create=True) as ledger:
        each = ledger.open("ward", BUDGET).limit.rho_nano // 10
        for home in homes[1:]:
            shutil.copytree(homes[0] / FOLDER, home / FOLDER)
        arguments = [str(server.port), database, str(server.ca)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", SPENDER, str(home), *arguments, str(number), str(each)],
                env={**os.environ, "HELD": server.secrets["keeper"]},
                stdout=subprocess.PIPE,
                text=True,
            )
            for number, home in enumerate(homes)
        ]
        won = [int(one.communicate(timeout=180)[0]) for one in workers]
        assert sum(won) == 10
        assert ledger.pools()["ward"].spent == Cost(10 * each)
        assert ledger.verify() == 12


def spent(server: Server, database: str, home: Path) -> None:
    with PostgresLedger(server.credentials("keeper", database=database), home, create=True) as ledger:
        ledger.open("ward", BUDGET)
        for text in "abc":
            ledger.spend(asked(ledger, text), Cost(1))


TAMPER = "SET session_replication_role = replica; "


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE gesalp_ledger.entries SET body = replace(body, '\"rho_nano\":1', '\"rho_nano\":0')", "was changed"),
        ("UPDATE gesalp_ledger.entries SET mark = repeat('0', 64) WHERE sequence = 4", "entry 4"),
        ("DELETE FROM gesalp_ledger.entries WHERE sequence = 3", "lacks entry 3"),
        ("DELETE FROM gesalp_ledger.entries WHERE sequence = 5", "known to have had entry 5"),
        ("DELETE FROM gesalp_ledger.entries", "holds no entry"),
        ("DROP SCHEMA gesalp_ledger CASCADE", "it is gone"),
    ],
)
def test_what_an_administrator_changes_is_found(
    server: Server, database: str, tmp_path: Path, *, statement: str, words: str
) -> None:
    spent(server, database, tmp_path)
    with server.admin(database) as connection:
        connection.execute((TAMPER + statement).encode())
    with pytest.raises(LedgerUnusable, match=words):
        PostgresLedger(server.credentials("keeper", database=database), tmp_path, create=True)


def test_entries_are_not_changed_by_a_slip_of_the_pen(server: Server, database: str, tmp_path: Path) -> None:
    spent(server, database, tmp_path)
    for statement in ("DELETE FROM", "TRUNCATE"):
        with pytest.raises(Exception, match="entries are never changed"):
            server.run(f"{statement} gesalp_ledger.entries", database=database)


def test_another_host_needs_the_key_and_no_other(server: Server, database: str, tmp_path: Path) -> None:
    spent(server, database, tmp_path / "one")
    given = server.credentials("keeper", database=database)
    with pytest.raises(LedgerUnusable, match="copy it, by a safe way"):
        PostgresLedger(given, tmp_path / "two", create=True)
    (tmp_path / "two" / FOLDER / KEY).write_bytes(b"k" * 32)
    (tmp_path / "two" / FOLDER / KEY).chmod(0o600)
    with pytest.raises(LedgerUnusable, match="another key"):
        PostgresLedger(given, tmp_path / "two")
    shutil.copy(tmp_path / "one" / FOLDER / KEY, tmp_path / "two" / FOLDER / KEY)
    with PostgresLedger(given, tmp_path / "two") as ledger:
        assert ledger.pools()["ward"].spent == Cost(3)


def test_a_cut_connection_and_a_wrong_password_are_told_and_the_ledger_goes_on(
    server: Server, database: str, tmp_path: Path
) -> None:
    spent(server, database, tmp_path)
    given = server.credentials("keeper", database=database)
    with PostgresLedger(given, tmp_path) as ledger:
        server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND usename = 'keeper'"
        )
        with pytest.raises(LedgerUnusable, match="cannot be used"):
            ledger.spend(asked(ledger, "d"), Cost(1))
        ledger.spend(asked(ledger, "d"), Cost(1))
        assert ledger.pools()["ward"].spent == Cost(4)
    with pytest.raises(DatabaseRefused, match="does not know this user and password") as caught:
        PostgresLedger({**given, "password": "canary-5150"}, tmp_path)
    assert "canary" not in str(caught.value)


def test_a_role_that_may_only_read_and_append_is_enough(server: Server, database: str, tmp_path: Path) -> None:
    spent(server, database, tmp_path)
    if "spender" not in server.secrets:
        server.role("spender")
    server.run(
        "GRANT USAGE ON SCHEMA gesalp_ledger TO spender",
        "GRANT SELECT, INSERT ON gesalp_ledger.entries TO spender",
        database=database,
    )
    with PostgresLedger(server.credentials("spender", database=database), tmp_path) as ledger:
        ledger.spend(asked(ledger, "d"), Cost(1))
        assert ledger.verify() == 6


def test_each_host_has_an_audit_log_of_its_own(server: Server, database: str, tmp_path: Path) -> None:
    given = server.credentials("keeper", database=database)
    names: list[str] = []
    for site in ("one", "two"):
        home = tmp_path / site
        if names:
            shutil.copytree(tmp_path / "one" / FOLDER, home / FOLDER)
        with PostgresLedger(given, home, create=True, site=site) as ledger:
            names.append(open_audit(Settings(home=home), ledger).name)
            assert ledger.audit_log() == names[-1]
    assert len(set(names)) == 2
    shutil.rmtree(tmp_path / "two" / "audit")
    (tmp_path / "two" / "audit.anchor").unlink()
    with PostgresLedger(given, tmp_path / "two", site="two") as ledger, pytest.raises(LedgerUnusable, match="no audit"):
        open_audit(Settings(home=tmp_path / "two"), ledger)


def test_the_settings_choose_the_ledger_and_the_command_shows_it(server: Server, database: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="names no PostgreSQL"):
        open_ledger(Settings(home=tmp_path, ledger_url="sqlite:x"))
    url = f"postgresql://keeper@localhost:{server.port}/{database}?sslrootcert={server.ca}"
    given = {**environment(tmp_path), "GESALP_LEDGER_URL": url, "PGPASSWORD": server.secrets["keeper"]}

    def gesalp(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *words], env=given, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert gesalp("ledger", "show").returncode == LedgerUnusable.exit_code
    opened = gesalp("ledger", "open", "ward", "--epsilon", "2")
    assert opened.returncode == 0, opened.stderr
    assert "ward: epsilon 2" in gesalp("ledger", "show").stdout
    assert gesalp("ledger", "verify").stdout.startswith("2 entries")
    assert (tmp_path / ANCHOR).exists()
    assert not (tmp_path / "ledger").exists()
    assert ADMIN not in opened.stdout
