"""Promises of the white-box attack: a model that has memorised is caught although its rows give nobody away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth_worker.crossfit import FoldResult, pool_folds
from synth_worker.diagnosis import FailureType
from synth_worker.errors import TrainingFailed
from synth_worker.exchange import save_table
from synth_worker.gates import profile
from synth_worker.generators.base import Hyperparameters
from synth_worker.generators.copula import GaussianCopula
from synth_worker.generators.registry import build, load
from synth_worker.keeping import build as build_keeping
from synth_worker.loop import Drawn, Event, Task, attempts
from synth_worker.lossgap import AskLosses, asking, losses_job, losses_of, with_losses
from synth_worker.metrics.base import Comparison, Losses
from synth_worker.metrics.membership import run_battery, score_battery
from synth_worker.process import Worker
from synth_worker.run import Plan
from synth_worker.search.portfolio import Ask
from synth_worker.seeds import Streams
from synth_worker.splitting import split
from synth_worker.table import Floats, Table
from tests.constrained import stays
from tests.tables import adult_like

TABLE = adult_like(1_200, 1).modelled()
OWN = split(TABLE, key="k", certified=False)
FRESH = adult_like(1_200, 9).modelled()


class Memorising(GaussianCopula):
    """Draw as a copula does, and know each training row: its loss is lower there."""

    def __init__(self, hyperparameters: Hyperparameters, *, gap: float) -> None:
        super().__init__(hyperparameters)
        self.gap = gap
        self.known: set[tuple[object, ...]] = set()

    def learn(self, train: Table) -> Memorising:
        self.known = {tuple(row) for row in train.frame.astype(str).itertuples(index=False)}
        return self

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats:
        rows = table.frame.astype(str).itertuples(index=False)
        seen = np.array([tuple(row) in self.known for row in rows])
        return rng.normal(size=table.rows) - self.gap * seen


def comparison(**more: object) -> Comparison:
    return Comparison.of(
        train=OWN.train, holdout=OWN.validation, synthetic=FRESH, streams=Streams(0).child("measure"), **more
    )  # type: ignore[arg-type]


def asked(gap: float) -> AskLosses:
    model = Memorising({}, gap=gap).learn(OWN.train)
    return lambda members, others: losses_of(model, members, others=others, streams=Streams(0))


@pytest.mark.parametrize(("gap", "low", "high"), [(2.0, 0.85, 1.0), (0.0, 0.42, 0.58)])
def test_a_model_that_has_memorised_is_caught_although_its_rows_are_fresh(gap: float, low: float, high: float) -> None:
    plain = comparison()
    seen, why = with_losses(plain, asked(gap), train=OWN.train, holdout=OWN.validation)
    assert why == ""
    without, found = (score_battery([run_battery(one)], alpha=0.05)["mia_auc"] for one in (plain, seen))
    assert "attack:loss" not in without.detail
    assert without.value is not None
    assert without.value < 0.58
    assert low < found.detail["attack:loss"] < high
    others = {name: value for name, value in found.detail.items() if name not in ("attack:loss", "se:loss")}
    assert others == without.detail  # the other attacks do not notice


def test_the_bound_pays_for_one_more_attack_and_only_where_it_is_made() -> None:
    seen, _ = with_losses(comparison(), asked(0.0), train=OWN.train, holdout=OWN.validation)
    names = [
        sum(name.startswith("attack:") for name in score_battery([run_battery(one)], alpha=0.05)["mia_auc"].detail)
        for one in (comparison(), seen)
    ]
    assert names[1] == names[0] + 1


class Delivering:
    def __init__(self, ask: AskLosses | None) -> None:
        self.ask = ask

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        del plan, number, event
        return Drawn(FRESH, losses=self.ask)


def test_an_attempt_fails_by_it() -> None:
    task = Task(OWN, profile("standard"), Ask("gc", 0, 1, 1_200), Streams(0))
    (plain,) = attempts(task, trainer=Delivering(None))
    (caught,) = attempts(task, trainer=Delivering(asked(3.0)))
    assert plain.diagnosis.failure_type is not FailureType.HIGH_MIA
    assert caught.diagnosis.failure_type is FailureType.HIGH_MIA
    assert caught.scores["mia_auc"].detail["attack:loss"] > 0.9


def test_a_model_that_cannot_answer_is_said_so_and_the_attack_is_left_out() -> None:
    def failing(_members: Table, _others: Table) -> Losses:
        raise TrainingFailed("no such state")

    same, why = with_losses(comparison(), failing, train=OWN.train, holdout=OWN.validation)
    assert same.losses is None
    assert "no such state" in why
    same, why = with_losses(comparison(), lambda _one, _two: None, train=OWN.train, holdout=OWN.validation)
    assert (same.losses, why) == (None, "")


def test_folds_are_pooled_and_the_attacker_guesses_where_a_method_has_no_loss() -> None:
    table = TABLE.take(np.arange(600))
    results: list[FoldResult] = []
    for number in range(3):
        held = np.arange(number * 200, number * 200 + 200)
        members = np.setdiff1d(np.arange(600), held)
        rng = np.random.default_rng(number)
        losses = Losses(rng.normal(size=400) - 3.0, rng.normal(size=200)) if number else None
        results.append(FoldResult(members, held, adult_like(400, 20 + number).modelled(), losses=losses))
    scores, _ = pool_folds(table, results, streams=Streams(0))
    # Two of three folds are seen through nearly always, the third is a coin toss.
    assert scores["mia_auc"].detail["attack:loss"] == pytest.approx((2 * 0.98 + 0.5) / 3, abs=0.03)
    plain, _ = pool_folds(table, [FoldResult(one.members, one.held, one.synthetic) for one in results],
                          streams=Streams(0))  # fmt: skip
    assert "attack:loss" not in plain["mia_auc"].detail


def test_records_of_another_domain_can_be_asked_about() -> None:
    train = adult_like(300, 3).modelled().narrowed()
    model = build("arn", {"n_iter": 2, "width": 16}).fit(train, rng=np.random.default_rng(0))
    found = losses_of(model, train, others=adult_like(200, 4).modelled(), streams=Streams(0))
    assert found is not None
    assert found.train.shape == (300,)
    assert found.holdout.shape == (200,)
    assert np.isfinite(found.holdout).all()
    assert abs(found.train.mean() - found.holdout.mean()) < 0.15
    assert losses_of(build("gc", {}).fit(train, rng=np.random.default_rng(0)), train, others=train,
                     streams=Streams(0)) is None  # fmt: skip


def test_constraints_do_not_give_strangers_away() -> None:
    train, others = stays(400, seed=1).modelled().narrowed(), stays(300, seed=2).modelled()
    model = build_keeping("arn", {"n_iter": 4, "width": 16}, train=train).fit(train, rng=np.random.default_rng(0))
    found = losses_of(model, train, others=others, streams=Streams(0))
    assert found is not None
    assert abs(found.train.mean() - found.holdout.mean()) < 0.2


def test_a_saved_model_is_asked_in_the_worker_and_no_record_is_left_behind(tmp_path: Path) -> None:
    train = adult_like(200, 3).modelled().narrowed()
    model = build("arn", {"n_iter": 2, "width": 16}).fit(train, rng=np.random.default_rng(0))
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    others = adult_like(100, 4).modelled()
    with Worker() as worker:
        ask = asking(worker, tmp_path / "model", work=tmp_path / "work", streams=Streams(0))
        found = ask(train, others)
    assert found is not None
    own = losses_of(load(tmp_path / "model"), train, others=others, streams=Streams(0))
    assert own is not None
    assert np.array_equal(found.train, own.train)
    assert not any((tmp_path / "work").iterdir())


def test_the_job_answers_with_nothing_where_there_is_no_loss(tmp_path: Path) -> None:
    train = adult_like(60, 3).modelled().narrowed()
    for name in ("members", "others"):
        save_table(train, tmp_path / name)
    (tmp_path / "model").mkdir()
    build("gc", {}).fit(train, rng=np.random.default_rng(0)).save(tmp_path / "model")
    payload = {name: str(tmp_path / name) for name in ("model", "members", "others")}
    assert losses_job({**payload, "seed": 0, "path": []}, None) == {}
