"""Promises of ``gesalp ledger``: what is open, spent and left is shown; refusals have exit codes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from synth_worker.commands.exits import BAD_INPUT, LEDGER_UNUSABLE
from synth_worker.privacy.budget import Cost, halved
from synth_worker.privacy.entries import Request
from synth_worker.privacy.ledger_file import ANCHOR, FileLedger
from tests.cli.made import gesalp


def test_a_population_is_opened_spent_from_shown_and_verified(tmp_path: Path) -> None:
    opened = gesalp("ledger", "open", "ward", "--epsilon", 2, "--quota", "ada=1", cwd=tmp_path)
    assert opened.returncode == 0, opened.stderr
    assert "ward: epsilon 2 at delta 1e-06" in opened.stdout
    with FileLedger(tmp_path / "home") as ledger:
        ledger.spend(Request("ward", "ada", "{}", "d"), Cost(7))
    shown = json.loads(gesalp("ledger", "show", "--json", cwd=tmp_path).stdout)["ward"]
    limit = halved(2.0, 1e-6).limit.rho_nano
    assert shown["spent"] == {"rho_nano": 7, "delta_atto": 0}
    assert shown["left"] == {"rho_nano": limit - 7, "delta_atto": 5 * 10**11}
    assert shown["quotas"]["ada"]["rho_nano"] == halved(1.0, 1e-6).limit.rho_nano
    assert "spent rho 0.000000007" in gesalp("ledger", "show", cwd=tmp_path).stdout
    assert gesalp("ledger", "verify", cwd=tmp_path).stdout.startswith("3 entries")
    again = gesalp("ledger", "open", "ward", "--epsilon", 3, cwd=tmp_path)
    assert again.returncode == BAD_INPUT
    assert "fixed once" in again.stderr


def test_what_cannot_be_relied_on_has_its_own_exit_code(tmp_path: Path) -> None:
    nothing = gesalp("ledger", "show", cwd=tmp_path)
    assert nothing.returncode == LEDGER_UNUSABLE
    assert "gesalp ledger open" in nothing.stderr
    assert gesalp("ledger", "open", "ward", cwd=tmp_path).returncode == 0
    (tmp_path / "home" / ANCHOR).write_text("{}", encoding="utf-8")
    for words in (("show",), ("verify",), ("open", "other")):
        assert gesalp("ledger", *words, cwd=tmp_path).returncode == LEDGER_UNUSABLE


def test_a_quota_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    for wrong in ("ada", "ada=much", "=1", "ada=-1"):
        assert gesalp("ledger", "open", "ward", "--quota", wrong, cwd=tmp_path).returncode == BAD_INPUT
