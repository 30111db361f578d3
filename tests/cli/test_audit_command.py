"""Promises of ``gesalp audit``: what was asked is shown, what was changed is found, with an exit code of its own."""

from __future__ import annotations

import json
from pathlib import Path

from synth_worker.commands.exits import BAD_INPUT, LEDGER_UNUSABLE
from synth_worker.database.audit import FILE, FOLDER, AuditLog
from tests.cli.made import gesalp


def test_a_log_is_shown_and_verified_and_an_edit_is_found(tmp_path: Path) -> None:
    nothing = gesalp("audit", "verify", cwd=tmp_path)
    assert nothing.returncode == LEDGER_UNUSABLE
    assert "there is no audit log" in nothing.stderr
    log = AuditLog(tmp_path / "home", create=True)
    log.record({"event": "asked", "actor": "ada", "data_set": "clinic/patients", "columns": ["age"], "epsilon": 1.0})
    log.record({"event": "refused", "actor": "ada", "outcome": "BudgetExceeded", "columns": ["a\x1b[2J"]})
    shown = gesalp("audit", "show", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "asked      ada  clinic/patients  columns age  epsilon 1.0" in shown.stdout
    assert "\x1b" not in shown.stdout
    refused = gesalp("audit", "show", "--event", "refused", "--last", 5, "--json", cwd=tmp_path)
    assert [json.loads(line)["outcome"] for line in refused.stdout.splitlines()] == ["BudgetExceeded"]
    whole = gesalp("audit", "verify", cwd=tmp_path)
    assert whole.stdout.splitlines()[0] == "3 lines, each with its right mark and in its place"
    head = whole.stdout.split("head: ")[1].strip()
    assert gesalp("audit", "verify", "--head", head, cwd=tmp_path).returncode == 0
    assert gesalp("audit", "verify", "--head", head.replace(" 3 ", " 4 "), cwd=tmp_path).returncode == LEDGER_UNUSABLE
    path = tmp_path / "home" / FOLDER / FILE
    path.write_bytes(path.read_bytes().replace(b'"epsilon":1.0', b'"epsilon":2.0'))
    broken = gesalp("audit", "verify", cwd=tmp_path)
    assert broken.returncode == LEDGER_UNUSABLE
    assert "line 2 of the audit log was changed" in broken.stderr
    seen = gesalp("audit", "show", cwd=tmp_path)
    assert "cannot be relied on: line 2" in seen.stderr
    assert "epsilon 2.0" in seen.stdout


def test_options_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    for words in (("show", "--event", "lost"), ("show", "--last", "0"), ("verify", "--head", "abc")):
        wrong = gesalp("audit", *words, cwd=tmp_path)
        assert wrong.returncode == BAD_INPUT, wrong.stderr
