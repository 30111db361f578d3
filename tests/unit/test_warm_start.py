"""Promises of warm starts: coarse figures that disclose nothing, own tenant only, winners first, no certificate."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synth_worker as sw
from benchmarks import warm_start
from synth_worker.gates import judge, profile
from synth_worker.metrics.base import Score
from synth_worker.reading import read_table
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search.history import FILE, NEAR, StoredHistory, cheapest, recalled
from synth_worker.search.meta import FEATURES, distance, features_of
from synth_worker.settings import Settings
from synth_worker.table import Table
from tests.unit.test_portfolio import attempt


def table(rows: int = 400, *, seed: int = 0, columns: int = 4) -> Table:
    return read_table(frame(rows, seed=seed, columns=columns)).modelled()


def frame(rows: int = 400, *, seed: int = 0, columns: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=rows)
    made: dict[str, object] = {f"n{place}": np.round(base + rng.normal(size=rows), 2) for place in range(columns)}
    made["secretcolumn"] = rng.choice(["secretlabel", "other", "third"], size=rows)
    return pd.DataFrame(made)


def test_figures_are_rounded_and_alike_tables_are_near() -> None:
    one, other = features_of(table(seed=1)), features_of(table(seed=2))
    assert distance(one, other) < NEAR < distance(one, features_of(table(30, columns=30)))
    for own in FEATURES:
        assert one[own.name] / own.step == pytest.approx(round(one[own.name] / own.step), abs=1e-6)
    assert distance(one, {}) == float("inf")


def of_two_values() -> pd.DataFrame:
    """Return values of which half are 0 or less and half 100 or more but for the last record, which has a new label."""
    values = np.concatenate([-np.arange(1.0, 21), np.zeros(480), np.full(480, 100.0), 100 + np.arange(1.0, 22)])
    return pd.DataFrame({"n": values, "c": ["usual", "other"] * 500 + ["rare"]})


def taking_turns(rows: int) -> pd.DataFrame:
    """Return rows of which every second one lacks a value, and has a skewed one, as where visits come in pairs."""
    rng = np.random.default_rng(0)
    first = np.arange(rows) % 2 == 0
    values = np.where(first, rng.exponential(size=rows), rng.normal(size=rows))
    return pd.DataFrame({"n": values, "m": np.where(first, rng.normal(size=rows), np.nan)})


@pytest.mark.parametrize(
    "whole", [frame(401), of_two_values(), taking_turns(9_999)], ids=["continuous", "two values", "taking turns"]
)
def test_one_record_more_or_less_moves_a_figure_by_a_step_at_most(whole: pd.DataFrame) -> None:
    all_rows, less, later = (features_of(read_table(part).modelled()) for part in (whole, whole[:-1], whole[1:]))
    for other in (less, later):
        assert all(abs(all_rows[own.name] - other[own.name]) <= own.step + 1e-9 for own in FEATURES)


def test_skew_is_that_of_the_values_and_of_no_side() -> None:
    drawn = np.random.default_rng(0).exponential(size=2_000)
    right, left, even = (
        features_of(read_table(pd.DataFrame({"n": one, "m": one})).modelled())["skewness"]
        for one in (drawn, -drawn, np.random.default_rng(0).normal(size=2_000))
    )
    # The middle of three is nearer to the least twice as often: spacings of exponential values are twice as wide above.
    assert right == left == 0.3
    assert even == 0.0


def test_who_prefers_privacy_does_not_get_back_what_an_attack_tells_more_of() -> None:
    def attacked(number: int, method: str, bound: float) -> Attempt:
        plain = attempt(number, Plan(method, {}, 0), c2st=0.55)
        scores = {**plain.scores, "mia_auc": Score(bound - 0.03, upper=bound, p_value=0.5, rows=1000)}
        return replace(plain, measurement=Measurement(scores, judge(scores, profile("standard"))))

    made = [attacked(1, "gc", 0.58), attacked(2, "cart", 0.51)]
    found = cheapest(made, prefer="privacy")
    assert found is not None
    assert found.plan.method == "cart"
    either = cheapest(made)
    assert either is not None
    assert either.plan.method == "gc"


def test_the_winner_comes_back_for_a_similar_table_and_for_no_other(tmp_path: Path) -> None:
    won = attempt(1, Plan("cart", {"privacy": 0.7, "first": "secretcolumn", "oversample": 4}, 5), c2st=0.55)
    StoredHistory(tmp_path, "", "aa").remember(features_of(table(seed=1)), [won])
    assert recalled(table(seed=2), StoredHistory(tmp_path, "", "bb")) == (("cart", (("privacy", 0.7),)),)
    assert recalled(table(30, columns=30), StoredHistory(tmp_path, "", "bb")) == ()


def test_neither_the_same_table_nor_another_tenant_gets_it(tmp_path: Path) -> None:
    won = attempt(1, Plan("cart", {"privacy": 0.7}, 5), c2st=0.55)
    StoredHistory(tmp_path, "ours", "aa").remember(features_of(table()), [won])
    assert recalled(table(), StoredHistory(tmp_path, "ours", "aa")) == ()
    assert recalled(table(), StoredHistory(tmp_path, "theirs", "bb")) == ()
    assert recalled(table(), StoredHistory(tmp_path, "ours", "bb")) != ()


def test_what_fails_a_gate_or_gives_a_guarantee_is_not_kept(tmp_path: Path) -> None:
    store = StoredHistory(tmp_path, "", "aa")
    store.remember(features_of(table()), [attempt(1, Plan("cart", {}, 0), c2st=0.55, leaks=True)])
    store.remember(features_of(table()), [attempt(1, Plan("mst", {"epsilon": 1.0}, 0), c2st=0.55)])
    unmeasured = attempt(1, Plan("cart", {}, 0), c2st=0.55)
    scores = {**unmeasured.scores, "ks_mean": Score.unmeasured("no rows")}
    lacking = replace(unmeasured, measurement=Measurement(scores, judge(scores, profile("standard"))))
    store.remember(features_of(table()), [lacking])
    assert not (tmp_path / FILE).exists()
    assert recalled(table(), StoredHistory(tmp_path, "", "bb")) == ()


def test_the_cheapest_attempt_that_is_as_good_is_kept() -> None:
    made = [attempt(1, Plan("gc", {}, 0), c2st=0.56), attempt(2, Plan("cart", {}, 0), c2st=0.55)]
    assert cheapest(made) is made[0]
    assert cheapest([attempt(1, Plan("gc", {}, 0), c2st=0.6), made[1]]) is made[1]
    assert cheapest([attempt(1, Plan("gc", {}, 0), c2st=0.5, leaks=True), made[1]]) is made[1]
    assert cheapest([]) is None


def test_most_of_the_nearest_tables_choose_the_method(tmp_path: Path) -> None:
    for name, method in (("a", "gc"), ("b", "cart"), ("c", "cart")):
        won = attempt(1, Plan(method, {}, 0), c2st=0.55)
        StoredHistory(tmp_path, "", name).remember(features_of(table(seed=1)), [won])
    assert [method for method, _ in recalled(table(seed=2), StoredHistory(tmp_path))] == ["cart"]


def test_the_page_says_what_the_records_say() -> None:
    assert warm_start.DOCUMENT.read_text(encoding="utf-8") == warm_start.page()


def test_a_store_that_cannot_be_read_is_no_history(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("not a database at all, and long enough to be seen as none" * 20, encoding="utf-8")
    assert recalled(table(), StoredHistory(tmp_path)) == ()


def test_a_run_leaves_what_won_and_the_next_begins_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GESALP_WARM_START", "true")
    own = Settings(home=tmp_path / "home")
    # The store is seeded with a plan that no cold search would begin with.
    StoredHistory(own.folder, "", "aa").remember(
        features_of(table(300)), [attempt(1, Plan("cart", {"privacy": 0.85, "predictors": 30}, 5), c2st=0.55)]
    )
    asked = {"attempts": 1, "seed": 3, "time_budget": None, "settings": own}
    warm = sw.synthesize(frame(300, seed=7), out=tmp_path / "warm", warm_start=True, **asked)  # type: ignore[arg-type]
    cold = sw.synthesize(frame(300, seed=7), out=tmp_path / "cold", warm_start=False, **asked)  # type: ignore[arg-type]
    assert (warm.best.plan.method, warm.best.plan.hyperparameters["privacy"]) == ("cart", 0.85)
    assert cold.best.plan.method == "gc"
    assert json.loads((tmp_path / "warm" / "warm.json").read_text())[0][0] == "cart"
    with sqlite3.connect(own.folder / FILE) as store:
        text = str(store.execute("SELECT * FROM winners").fetchall())
    assert "secret" not in text
    assert not any(name in text for name in ("n0", "certificate"))
