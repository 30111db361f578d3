"""Promises of the balanced table: exact shares, its own verdict, the worse exit code, the same again after a stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synth_worker as sw
from synth_worker import rebalance
from synth_worker.balancing import Balance, label_rows
from synth_worker.errors import BadInput, UnknownName
from synth_worker.exchange import load_table
from synth_worker.gates import Light
from synth_worker.generators.base import Generator
from synth_worker.record import run_json
from synth_worker.run import Rebalanced, Run
from synth_worker.seeds import Streams
from synth_worker.settings import Settings
from synth_worker.table import Table
from tests.cli.made import AMBER, GREEN, RED, certificate_of, run_of
from tests.cli.test_run_schema import check


def cases(rows: int, seed: int = 0, *, share: float = 0.15) -> pd.DataFrame:
    """Return a made table with a rare outcome that goes with age and pressure."""
    rng = np.random.default_rng([3_301, seed])
    age = np.clip(np.round(rng.normal(55, 16, rows)), 18, 95)
    pressure = np.round(95 + 0.5 * age + rng.normal(0, 14, rows), 1)
    score = 0.06 * age + 0.03 * pressure + rng.gumbel(size=rows)
    return pd.DataFrame(
        {
            "id": [f"P{one:05d}" for one in rng.permutation(rows)],
            "age": age.astype(int),
            "sex": rng.choice(["f", "m"], rows),
            "pressure": pressure,
            "visits": rng.poisson(1 + 0.02 * age),
            "died": np.where(score > np.quantile(score, 1 - share), "yes", "no"),
        }
    )


def rebalanced(run: Run) -> Rebalanced:
    assert run.rebalanced is not None
    return run.rebalanced


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("balance")


@pytest.fixture(scope="module")
def small(home: Path) -> Run:
    own = Settings(home=home / "home")
    return sw.synthesize(
        cases(400), out=home / "run", settings=own, balance="died", attempts=1, method="cart", rows=301
    )


def test_the_balanced_table_has_the_form_of_the_input_and_the_shares_asked_for(small: Run) -> None:
    made = rebalanced(small)
    assert made.synthetic is not None
    assert list(made.synthetic.columns) == list(cases(400).columns)
    assert made.synthetic.dtypes.astype(str).to_dict() == cases(400).dtypes.astype(str).to_dict()
    assert sorted(made.rows.values()) == [150, 151]
    assert made.synthetic["died"].value_counts().to_dict() == dict(made.rows)
    assert small.best.synthetic is not None
    assert (small.best.synthetic["died"] == "yes").mean() < 0.25
    assert not set(made.synthetic["id"]) & set(cases(400)["id"])


def test_the_column_was_drawn_first_and_rows_divided_over_it(small: Run) -> None:
    assert small.best.plan.hyperparameters["first"] == "died"
    assert small.split.stratified_by == "died"


def test_its_certificate_is_its_own_and_a_look_of_its_own(small: Run) -> None:
    made = rebalanced(small)
    assert small.certificate is not None
    assert (small.certificate.look, made.certificate.look) == (1, 2)
    assert made.certificate.mode == "cross-fit"
    assert made.certificate.rows < small.certificate.rows
    gates = {one.metric for one in made.certificate.verdict.rulings}
    assert {one.metric for one in small.certificate.verdict.rulings} <= gates
    for label in ("yes", "no"):
        for metric in ("ks_mean", "tvd_mean", "dup_rate", "copy_excess"):
            assert f"{metric} [died={label}]" in gates
            assert made.certificate.scores[f"{metric} [died={label}]"].value is not None
    ks, floor = (
        made.certificate.scores["ks_mean [died=yes]"].value,
        made.certificate.scores["ks_mean [died=yes]"].floor,
    )
    assert ks is not None
    assert floor is not None
    assert ks < floor + 0.1


def test_what_is_left_in_the_folder(small: Run) -> None:
    assert small.folder is not None
    card = json.loads((small.folder / "run.json").read_text())
    check(card)
    assert card["balance"]["file"] == "synthetic.balanced.csv"
    assert card["exit_code"] == small.exit_code
    assert (small.folder / "synthetic.balanced.csv").exists()
    page = (small.folder / "report.html").read_text()
    assert "Balanced table" in page
    assert "within died=yes" in page


def test_a_run_that_was_stopped_before_ends_the_same(small: Run, home: Path) -> None:
    seen: list[object] = []

    def event(message: Mapping[str, object]) -> None:
        if str(message.get("what", "")).startswith("balanced table"):
            seen.append(message)

    asked = {"balance": "died", "attempts": 1, "method": "cart", "rows": 301, "settings": Settings(home=home / "home")}
    out = home / "stopped"
    run = sw.synthesize(cases(400), out=out, event=event, cancelled=lambda: bool(seen), threads=1, **asked)  # type: ignore[arg-type]
    assert run.stopped == "cancelled"
    assert run.rebalanced is None
    again = sw.synthesize(cases(400), out=out, resume=True, **asked)  # type: ignore[arg-type]
    assert small.folder is not None
    for name in ("synthetic.csv", "synthetic.balanced.csv"):
        assert (out / name).read_bytes() == (small.folder / name).read_bytes()
    cards = [json.loads((one / "run.json").read_text()) for one in (out, small.folder)]
    assert again.stopped == "finished"
    assert cards[0]["balance"]["certificate"]["scores"] == cards[1]["balance"]["certificate"]["scores"]


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(GREEN, GREEN, 0), (GREEN, AMBER, 4), (GREEN, RED, 3), (AMBER, GREEN, 4), (RED, AMBER, 3)],
)
def test_the_exit_code_is_the_worse_of_both(first: dict, second: dict, code: int) -> None:
    own = Rebalanced("died", {"a": 0.5, "b": 0.5}, ("a", "b"), {"a": 5, "b": 5}, "x.csv", certificate_of(second))
    run = replace(run_of(first), rebalanced=own)
    assert run.exit_code == code
    card = run_json(run)
    check(card)
    assert card["exit_code"] == code


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        ("nobody", "unknown column to balance 'nobody'"),
        ("died=perhaps:0.5", "unknown label of column 'died' 'perhaps'"),
        ("died=yes:0.5,no:0.6", "sum to 1.1"),
        ("pressure", "different values"),
        ("id", "is identifier"),
    ],
)
def test_what_cannot_be_balanced_is_refused_before_anything_is_learnt(
    balance: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises((BadInput, UnknownName), match=message):
        sw.synthesize(cases(100), balance=balance, out=tmp_path / "run", settings=Settings(home=tmp_path / "home"))
    assert not (tmp_path / "run" / "attempts").exists()


@pytest.mark.slow
def test_copies_of_the_rare_class_turn_the_balanced_table_red_and_not_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train: list[Table] = []

    def loaded(model: Path) -> Generator:
        train.append(load_table(model.parents[2] / ".work" / "train"))
        return load(model)

    def copied(model: Generator, balance: Balance, *, rows: int, streams: Streams) -> Table:
        honest = draw(model, balance, rows=rows, streams=streams)
        own = label_rows(train[0], balance)["yes"]
        place = label_rows(honest, balance)["yes"]
        frame = honest.frame.copy()
        source = train[0].frame.iloc[np.resize(own, len(place) // 4)]
        frame.iloc[place[: len(source)]] = source.to_numpy()
        return Table(honest.schema, frame.astype(honest.frame.dtypes))

    load, draw = rebalance.load, rebalance.draw_balanced
    monkeypatch.setattr(rebalance, "load", loaded)
    monkeypatch.setattr(rebalance, "draw_balanced", copied)
    run = sw.synthesize(
        cases(3_000),
        out=tmp_path / "run",
        settings=Settings(home=tmp_path / "home"),
        balance="died",
        attempts=1,
        method="gc",
    )
    assert run.verdict.light is not Light.RED
    rulings = {one.metric: str(one.ruling) for one in rebalanced(run).certificate.verdict.rulings}
    assert rulings["dup_rate [died=yes]"] == "red"
    assert rulings["copy_excess [died=yes]"] == "red"
    assert rulings["dup_rate [died=no]"] == "green"
    assert rulings["mia_auc"] == "red"
    assert run.exit_code == 3
