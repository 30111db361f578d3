"""Promises of the grid of epsilons: checked whole before a charge, every point paid for, resumed, never steered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synth_worker.errors import BadInput, BudgetExceeded
from synth_worker.privacy.budget import Cost, halved
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.private_grid import FILE, Grid, cost_of_point, run_grid
from synth_worker.private_run import PrivateAsk
from tests.cli.made import write_patients
from tests.private_tables import public_schema

pytest.importorskip("opendp")
ROWS = 300
ASK = PrivateAsk("mst", 1.0)


def grid(house: Path, *epsilons: float, budget: float = 20.0, seconds: float | None = None) -> Grid:
    if not (house / "patients.csv").exists():
        write_patients(house, ROWS)
    with FileLedger(house / "home", create=True) as ledger:
        if "default" not in ledger.pools():
            ledger.open("default", halved(budget, 1e-6))
        return run_grid(
            house / "patients.csv",
            ASK,
            schema=public_schema(ROWS),
            out=house / "out",
            epsilons=epsilons,
            seconds=seconds,
            ledger=ledger,
        )


def spent(house: Path) -> Cost:
    with FileLedger(house / "home") as ledger:
        return ledger.pools()["default"].spent


def test_every_point_is_made_measured_charged_and_not_done_again(tmp_path: Path) -> None:
    found = grid(tmp_path, 2.0, 0.5)
    assert [one.epsilon for one in found.points] == [0.5, 2.0]
    assert found.stopped == "finished"
    costs = [cost_of_point(PrivateAsk("mst", one), public_schema(ROWS)) for one in (0.5, 2.0)]
    assert spent(tmp_path) == sum((part for pair in costs for part in pair), Cost())
    for one in found.points:
        assert (tmp_path / "out" / one.folder / "synthetic.csv").exists()
        assert one.distance >= 0.0
        assert one.margin > 0.0
    # A grid that was killed after the first point: what is left of the file is what was finished.
    held = json.loads((tmp_path / "out" / FILE).read_text())
    (tmp_path / "out" / FILE).write_text(json.dumps({**held, "points": held["points"][:1]}))
    again = grid(tmp_path, 0.5, 2.0)
    assert again.points[0] == found.points[0]
    assert spent(tmp_path) == sum((part for pair in costs for part in pair), Cost()) + costs[1][1]


def test_a_grid_that_does_not_fit_charges_nothing(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded):
        grid(tmp_path, 0.5, 1.0, 2.0, budget=2.0)
    assert spent(tmp_path) == Cost()
    assert not (tmp_path / "out").exists()


def test_no_point_begins_after_its_time_and_none_that_did_not_begin_costs(tmp_path: Path) -> None:
    found = grid(tmp_path, 0.5, 1.0, seconds=-1.0)
    assert (found.points, found.stopped) == ((), "time")
    assert spent(tmp_path) == Cost()


def test_another_grid_is_not_mixed_in(tmp_path: Path) -> None:
    write_patients(tmp_path, ROWS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FILE).write_text(json.dumps({"request": {"asked": "else"}, "points": []}))
    with pytest.raises(BadInput, match="something else"):
        grid(tmp_path, 0.5)
    with pytest.raises(BadInput, match="each once"):
        grid(tmp_path, 0.5, 0.5)
