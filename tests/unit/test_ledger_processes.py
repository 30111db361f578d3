"""Promises of the ledger where many processes use it and some are killed: never over budget, nothing lost.

The whole of it: ``python -m benchmarks.ledger all``, recorded in ``benchmarks/records/ledger.jsonl``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.ledger import crowd, kills, random_spends


def test_64_processes_at_once_never_spend_more_than_there_is(tmp_path: Path) -> None:
    found = crowd(tmp_path, processes=64, spends=8)
    assert found.sound, found
    assert found.spends + found.refused == 64 * 8
    assert found.spends > 64
    assert found.refused > 64


def test_random_spends_agree_with_a_twin(tmp_path: Path) -> None:
    found = random_spends(tmp_path, spends=2_000)
    assert found.sound, found
    assert min(found.spends, found.refused) > 500


def test_killing_spenders_loses_nothing(tmp_path: Path) -> None:
    found = kills(tmp_path, times=12)
    assert found.sound, found
    assert found.spends > 12
