"""A round of measurements that was stopped goes on where it was, and says which parts failed."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import rows


def test_only_what_is_on_record_since_the_moment_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "RECORDS", tmp_path)
    kept = [{"at": f"2026-11-2{day}T10:00Z", "table": "heart", "seed": day} for day in (4, 5, 6)]
    (tmp_path / "some.jsonl").write_text("\n".join(json.dumps(row) for row in kept))
    assert rows.held("some", "table", "seed", since="2026-11-25T10:00Z") == {("heart", 5), ("heart", 6)}
    assert len(rows.held("some", "table", "seed", since=rows.EVER)) == 3
    assert rows.held("some", "table", "seed", since="") == set()
    assert rows.held("nothing", "table", since=rows.EVER) == set()


def test_a_stopped_round_keeps_its_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUND", tmp_path / "stamps" / "since")
    first = bench.begun("")
    assert bench.begun("") == first
    assert bench.begun("2026-11-24T00:00Z") == "2026-11-24T00:00Z" == bench.begun("")


def test_a_failed_run_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "RECORDS", tmp_path)
    kept = [{"at": "2026-11-24T10:00Z", "table": one, "verdict": one} for one in ("failed", "green")]
    (tmp_path / "some.jsonl").write_text("\n".join(json.dumps(row) for row in kept))
    assert rows.held("some", "table", since=rows.EVER) == {("green",)}


def test_the_parts_after_a_failed_one_run_and_it_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    parts = ["expected --points nothing --seeds nobody", "sweep --cases 0 --dry"]
    assert bench.run([one.split() for one in parts]) == parts[:1]
    assert "[2 of 2" in capfd.readouterr().out


@pytest.mark.parametrize("module", sorted(bench.MODULES))
def test_every_part_can_go_on(module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit):
        import_module(f"benchmarks.{module}").main()
    assert "--since" in capsys.readouterr().out


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--parts", "front,nothing"])
    monkeypatch.setattr(bench, "DATA", Path(__file__))
    with pytest.raises(SystemExit):
        bench.main()
    assert "no such part: nothing" in capsys.readouterr().err
