"""Promises of the ledger: charged before the work, never refunded, never forgotten; where it cannot be sure, no."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from synth_worker.errors import BadInput, BudgetExceeded, LedgerUnusable, UnknownName
from synth_worker.privacy.budget import Budget, Cost
from synth_worker.privacy.entries import Request, normalised
from synth_worker.privacy.ledger_file import ANCHOR, FILE, FOLDER, KEY, FileLedger

BUDGET = Budget(1.0, 1e-6)
LIMIT = BUDGET.limit.rho_nano
PART = Cost(LIMIT // 4)


def ask(number: int = 0, *, principal: str = "ada", data: str = "d", population: str = "ward") -> Request:
    return Request(population, principal, normalised({"number": number}), data)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of a ledger with two answered spends and one that waits."""
    with FileLedger(tmp_path, create=True) as ledger:
        ledger.open("ward", BUDGET)
        for number in range(3):
            receipt = ledger.spend(ask(number), PART)
            if number < 2:
                ledger.settle(receipt, reference=f"answers/{number}")
    return tmp_path


def test_spends_add_up_and_what_does_not_fit_is_refused_with_cost_and_rest(home: Path) -> None:
    with FileLedger(home) as ledger:
        assert ledger.pools()["ward"].spent == Cost(3 * PART.rho_nano)
        left = ledger.pools()["ward"].left
        with pytest.raises(BudgetExceeded) as refused:
            ledger.spend(ask(9), left + Cost(1))
        assert refused.value.message == f"costs {left + Cost(1)}; {left} left of the population 'ward'"
        assert ledger.pools()["ward"].left == left
        ledger.spend(ask(9), left)
        with pytest.raises(BudgetExceeded):
            ledger.spend(ask(10), Cost(1))


def test_delta_is_counted_too(tmp_path: Path) -> None:
    with FileLedger(tmp_path, create=True) as ledger:
        ledger.open("ward", Budget(1.0, 1e-6, 1e-7))
        ledger.spend(ask(), Cost.of_rho(0.001, delta=0.9e-7))
        with pytest.raises(BudgetExceeded):
            ledger.spend(ask(1), Cost.of_rho(0.001, delta=0.2e-7))
        ledger.open("other", BUDGET)  # nothing of delta is set aside: such a mechanism is refused
        with pytest.raises(BudgetExceeded):
            ledger.spend(ask(2, population="other"), Cost.of_rho(0.001, delta=1e-18))


def test_the_same_request_costs_nothing_and_gives_the_answer_that_there_is(home: Path) -> None:
    with FileLedger(home) as ledger:
        before = ledger.pools()["ward"].spent
        for principal in ("ada", "bob"):
            again = ledger.spend(ask(1, principal=principal), PART)
            assert (again.replayed, again.reference, again.charged) == (True, "answers/1", Cost())
        assert ledger.pools()["ward"].spent == before
        assert ledger.answer(ask(1)) == "answers/1"
        assert ledger.verify() == 9  # begin, open, 3 spends, 2 settled, and both replays are on record


def test_what_no_budget_bounds_is_noted_and_stays_known(home: Path) -> None:
    with FileLedger(home) as ledger:
        before = ledger.pools()["ward"].spent
        assert ledger.pools()["ward"].unbounded == ()
        receipt = ledger.note_unbounded(ask(7), what="raw rows of stays, for triage")
        assert receipt.charged == Cost()
        ledger.open("ward", BUDGET, quotas={"ada": PART})
        with pytest.raises(BudgetExceeded, match="no quota"):
            ledger.note_unbounded(ask(7, principal="eve"), what="raw rows of stays")
        with pytest.raises(UnknownName):
            ledger.note_unbounded(ask(7, population="other"), what="raw rows of stays")
        with pytest.raises(BadInput):
            ledger.note_unbounded(ask(7), what="")
    with FileLedger(home) as ledger:
        pool = ledger.pools()["ward"]
        assert (pool.unbounded, pool.spent) == (("raw rows of stays, for triage",), before)


def test_changed_data_is_a_new_request(home: Path) -> None:
    with FileLedger(home) as ledger:
        before = ledger.pools()["ward"].spent
        assert not ledger.spend(ask(1, data="changed"), PART).replayed
        assert ledger.pools()["ward"].spent == before + PART


def test_a_request_whose_answer_was_lost_is_charged_again(home: Path) -> None:
    with FileLedger(home) as ledger:
        before = ledger.pools()["ward"].spent
        assert ledger.answer(ask(2)) == ""
        assert not ledger.spend(ask(2), Cost(1)).replayed
        assert not ledger.spend(ask(1), Cost(1), again=True).replayed
        assert ledger.pools()["ward"].spent == before + Cost(2)


def test_an_answer_is_settled_once(home: Path) -> None:
    with FileLedger(home) as ledger:
        receipt = ledger.spend(ask(7), Cost(1))
        ledger.settle(receipt, reference="answers/7")
        with pytest.raises(BadInput, match="no spend that waits"):
            ledger.settle(receipt, reference="answers/8")
        with pytest.raises(BadInput, match="place"):
            ledger.settle(receipt, reference="")
        assert ledger.answer(ask(7)) == "answers/7"


def test_a_budget_is_fixed_and_a_population_is_opened_by_its_owner(home: Path) -> None:
    with FileLedger(home) as ledger:
        with pytest.raises(BadInput, match="fixed once"):
            ledger.open("ward", Budget(2.0, 1e-6))
        assert ledger.open("ward", BUDGET).spent == Cost(3 * PART.rho_nano)
        with pytest.raises(UnknownName, match="ward"):
            ledger.spend(ask(population="warden"), Cost(1))
        with pytest.raises(BadInput, match="touches nothing"):
            ledger.spend(ask(8), Cost())


def test_quotas_are_inside_the_budget_and_shut_out_everyone_else(home: Path) -> None:
    with FileLedger(home) as ledger:
        ledger.open("ward", BUDGET, quotas={"ada": Cost(LIMIT), "bob": Cost(10)})
        ledger.spend(ask(20, principal="bob"), Cost(8))
        with pytest.raises(BudgetExceeded, match=r"rho 0\.000000002 left of the quota of 'bob'"):
            ledger.spend(ask(21, principal="bob"), Cost(3))
        with pytest.raises(BudgetExceeded, match="'eve' has no quota"):
            ledger.spend(ask(22, principal="eve"), Cost(1))
        with pytest.raises(BudgetExceeded, match="'eve' has no quota"):
            ledger.spend(ask(1, principal="eve"), Cost(1))  # nor may she have an answer again
        with pytest.raises(BudgetExceeded, match="of the population"):
            ledger.spend(ask(23), Cost(LIMIT - 3 * PART.rho_nano))
        ledger.open("ward", BUDGET)  # says nothing of quotas: they stay
        assert set(ledger.pools()["ward"].quotas) == {"ada", "bob"}


def test_the_ledger_holds_no_word_of_the_request_and_no_plain_hash_of_the_data(home: Path) -> None:
    with FileLedger(home) as ledger:
        name = ledger.fingerprint(b"content")
        ledger.spend(Request("ward", "ada", '{"where":"diagnosis=X"}', name), Cost(1))
    with FileLedger(home / "elsewhere", create=True) as other:
        assert other.fingerprint(b"content") != name
    assert b"diagnosis" not in b"".join(path.read_bytes() for path in (home / FOLDER).iterdir())


def test_key_and_file_are_private(home: Path) -> None:
    assert (home / FOLDER / KEY).stat().st_mode & 0o777 == 0o600
    assert (home / FOLDER / FILE).stat().st_mode & 0o777 == 0o600
    assert (home / FOLDER).stat().st_mode & 0o777 == 0o700
    (home / FOLDER / KEY).chmod(0o644)
    with pytest.raises(LedgerUnusable, match="read by others"):
        FileLedger(home)


# ---- what somebody may have done to it


def sql(home: Path, *statements: str) -> None:
    """Change the file behind the ledger's back."""
    connection = sqlite3.connect(home / FOLDER / FILE, isolation_level=None)
    for statement in ("DROP TRIGGER no_update", "DROP TRIGGER no_delete", *statements):
        connection.execute(statement)
    connection.close()


def edit(home: Path) -> None:
    sql(home, "UPDATE entries SET body = replace(body, '\"rho_nano\":', '\"rho_nano\":0') WHERE sequence = 3")


def lower(home: Path) -> None:
    sql(home, "UPDATE entries SET body = json_set(body, '$.rho_nano', 1) WHERE sequence = 3")


def delete(home: Path) -> None:
    sql(home, "DELETE FROM entries WHERE sequence = 4")


def delete_and_close_up(home: Path) -> None:
    sql(
        home,
        "DELETE FROM entries WHERE sequence = 4",
        "UPDATE entries SET sequence = sequence - 1 WHERE sequence > 4",
    )


def reorder(home: Path) -> None:
    sql(
        home,
        "UPDATE entries SET sequence = 99 WHERE sequence = 3",
        "UPDATE entries SET sequence = 3 WHERE sequence = 5",
        "UPDATE entries SET sequence = 5 WHERE sequence = 99",
    )


def cut(home: Path) -> None:
    sql(home, "DELETE FROM entries WHERE sequence > 5")


def empty(home: Path) -> None:
    sql(home, "DELETE FROM entries")


def drop(home: Path) -> None:
    sql(home, "DROP TABLE entries")


def append_without_the_key(home: Path) -> None:
    sql(home, "INSERT INTO entries SELECT max(sequence) + 1, body, mark FROM entries")


def remove_the_file(home: Path) -> None:
    for path in (home / FOLDER).glob(f"{FILE}*"):
        path.unlink()


def remove_the_folder(home: Path) -> None:
    shutil.rmtree(home / FOLDER)


def remove_the_key(home: Path) -> None:
    (home / FOLDER / KEY).unlink()


def change_the_key(home: Path) -> None:
    (home / FOLDER / KEY).write_bytes(b"k" * 32)


def shorten_the_key(home: Path) -> None:
    (home / FOLDER / KEY).write_bytes(b"k")


def remove_the_anchor(home: Path) -> None:
    (home / ANCHOR).unlink()


def spoil_the_anchor(home: Path) -> None:
    (home / ANCHOR).write_text("{", encoding="utf-8")


def begin_anew(home: Path) -> None:
    shutil.rmtree(home / FOLDER)
    with FileLedger(home / "other", create=True) as ledger:
        ledger.open("ward", BUDGET)
    shutil.move(home / "other" / FOLDER, home / FOLDER)


def overwrite(home: Path) -> None:
    (home / FOLDER / FILE).write_bytes(b"no database at all" * 500)


DAMAGES: tuple[Callable[[Path], None], ...] = (
    edit,
    lower,
    delete,
    delete_and_close_up,
    reorder,
    cut,
    empty,
    drop,
    append_without_the_key,
    remove_the_file,
    remove_the_folder,
    remove_the_key,
    change_the_key,
    shorten_the_key,
    remove_the_anchor,
    spoil_the_anchor,
    begin_anew,
    overwrite,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_ledger_that_was_tampered_with_refuses(home: Path, damage: Callable[[Path], None]) -> None:
    damage(home)
    with pytest.raises(LedgerUnusable):
        FileLedger(home, create=True)
    with pytest.raises(LedgerUnusable):
        FileLedger(home)


@pytest.mark.parametrize("damage", [edit, lower, delete, reorder, cut, empty], ids=lambda damage: damage.__name__)
def test_a_process_that_has_it_open_finds_it_by_verifying(home: Path, damage: Callable[[Path], None]) -> None:
    with FileLedger(home) as ledger:
        assert ledger.verify() == 7
        damage(home)
        with pytest.raises(LedgerUnusable):
            ledger.verify()


@pytest.mark.parametrize("damage", [cut, empty, spoil_the_anchor], ids=lambda damage: damage.__name__)
def test_a_process_that_has_it_open_spends_no_more(home: Path, damage: Callable[[Path], None]) -> None:
    with FileLedger(home) as ledger:
        damage(home)
        with pytest.raises(LedgerUnusable):
            ledger.spend(ask(30), Cost(1))


def test_a_file_set_back_to_an_earlier_state_refuses(home: Path) -> None:
    saved = home / "saved"
    shutil.copytree(home / FOLDER, saved)
    with FileLedger(home) as ledger:
        ledger.spend(ask(30), Cost(1))
    shutil.rmtree(home / FOLDER)
    shutil.copytree(saved, home / FOLDER)
    with pytest.raises(LedgerUnusable, match="known to have had"):
        FileLedger(home)


def test_an_entry_from_another_course_of_things_does_not_fit(home: Path) -> None:
    other = home.parent / "other"
    shutil.copytree(home, other)
    rows: list[tuple[str, str]] = []
    for place, cost in ((other, 1), (home, 500)):
        with FileLedger(place) as ledger:
            ledger.spend(ask(40), Cost(cost))
            ledger.spend(ask(41), Cost(7))
        connection = sqlite3.connect(place / FOLDER / FILE)
        rows.append(connection.execute("SELECT body, mark FROM entries WHERE sequence = 8").fetchone())
        connection.close()
    body, mark = rows[0]  # cheaper, with the key's own mark, at the same place
    sql(home, f"UPDATE entries SET body = '{body}', mark = '{mark}' WHERE sequence = 8")  # noqa: S608 - a test forges
    with pytest.raises(LedgerUnusable, match="entry 9"):
        FileLedger(home)


def test_everything_set_back_together_is_known_by_who_kept_an_entry(home: Path) -> None:
    shutil.copytree(home, home.parent / "saved")
    with FileLedger(home) as ledger:
        receipt = ledger.spend(ask(30), Cost(1))
        assert ledger.knows(sequence=receipt.sequence, mark=receipt.mark)
    with FileLedger(home.parent / "saved") as ledger:
        assert not ledger.knows(sequence=receipt.sequence, mark=receipt.mark)


def test_an_anchor_that_a_crash_left_behind_is_moved_on(home: Path) -> None:
    behind = (home / ANCHOR).read_text(encoding="utf-8")
    with FileLedger(home) as ledger:
        spent = ledger.spend(ask(30), Cost(1))
    (home / ANCHOR).write_text(behind, encoding="utf-8")
    with FileLedger(home) as ledger:
        assert ledger.pools()["ward"].spent == Cost(3 * PART.rho_nano + 1)
    assert json.loads((home / ANCHOR).read_text(encoding="utf-8"))["sequence"] == spent.sequence


def test_there_is_no_ledger_unless_one_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusable, match="there is no ledger"):
        FileLedger(tmp_path)
    assert not any(tmp_path.iterdir())


def test_two_ledgers_on_one_file_see_each_other(home: Path) -> None:
    with FileLedger(home) as one, FileLedger(home) as two:
        one.spend(ask(30), Cost(5))
        two.spend(ask(31), Cost(7))
        assert one.pools() == two.pools()
        assert one.pools()["ward"].spent == Cost(3 * PART.rho_nano + 12)
