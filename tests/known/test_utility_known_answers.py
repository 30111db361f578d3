"""What the utility figures must say of tables whose quality is known, so that a wrong figure cannot pass.

Identical, fresh, shuffled and cornered tables are from MEASURES.md, "Known answers".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from synth_worker.gates import Ruling, profile, rule
from synth_worker.metrics import broken_pairs, dependence, detection, marginals, masses, trend, usefulness
from synth_worker.metrics.base import Comparison, Score, Scores
from synth_worker.metrics.survival import harrell_c
from synth_worker.schema import Schema
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.tables import adult_like, build, continuous, cornered, discrete, labels, shuffled, survival, with_units

FAST = (*marginals.FAMILIES, dependence.FAMILY, masses.FAMILY, trend.FAMILY, broken_pairs.FAMILY)
TRAIN, HELD = 3_000, 1_500
GATES = {gate.metric: gate for gate in profile("standard").gates}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Measure as ``evaluate`` does."""
    with threadpool_limits(limits=1):
        yield


def compared(
    synthetic: Table, *, train: Table | None = None, held: Table | None = None, quick: bool = False
) -> Comparison:
    return Comparison.of(
        train=adult_like(TRAIN, 1) if train is None else train,
        holdout=adult_like(HELD, 2) if held is None else held,
        synthetic=synthetic,
        streams=Streams(5),
        target="income" if train is None else None,
        quick=quick,
    )


def measured(comparison: Comparison) -> Scores:
    scores: dict[str, Score] = {}
    for family in FAST:
        found = family.compute(comparison)
        assert set(found) == {metric.name for metric in family.metrics}
        scores.update(found)
    return scores


@cache
def scores_of(kind: str) -> Scores:
    train = adult_like(TRAIN, 1)
    tables = {"same": train, "fresh": adult_like(TRAIN, 3), "shuffled": shuffled(train), "cornered": cornered(train)}
    return measured(compared(tables[kind]))


def value(scores: Scores, name: str) -> float:
    found = scores[name].value
    assert found is not None
    return found


def ruling(scores: Scores, name: str) -> Ruling:
    return rule(GATES[name], scores[name]).ruling


def test_an_identical_table_has_no_distance_at_all() -> None:
    scores = scores_of("same")
    for name in ("ks_mean", "tvd_mean", "missing_delta", "corr_delta", "corr_loss", "trend", "spike_delta"):
        assert value(scores, name) == pytest.approx(0, abs=1e-9), name
    assert value(scores, "broken_pairs") == value(scores, "wrong_dtype") == value(scores, "out_of_range") == 0
    assert value(scores, "rare_coverage") == 1


def test_fresh_real_rows_score_near_the_floor_and_are_green() -> None:
    scores = scores_of("fresh")
    for name in ("ks_mean", "tvd_mean", "corr_delta", "trend", "spike_delta"):
        floor = scores[name].floor
        assert floor is not None
        assert scores[name].detail["at_floor_size"] == pytest.approx(floor, rel=0.4), name
        assert 0 < value(scores, name) < 2 * floor, name
    for name in ("ks_mean", "tvd_mean", "missing_delta", "corr_delta"):
        assert ruling(scores, name) is Ruling.GREEN
    assert value(scores, "rare_coverage") >= 0.97
    assert value(scores, "broken_pairs") < 0.01


def test_shuffled_columns_keep_their_margins_and_lose_all_dependence() -> None:
    scores = scores_of("shuffled")
    assert value(scores, "ks_mean") == value(scores, "tvd_mean") == 0
    assert value(scores, "corr_delta") > 0.10
    assert ruling(scores, "corr_delta") is Ruling.RED
    assert ruling(scores, "ks_mean") is Ruling.GREEN
    assert value(scores, "corr_loss") == pytest.approx(1, abs=0.1)
    assert value(scores, "broken_pairs") > 0.5
    for name in ("corr_delta", "trend", "broken_pairs"):
        floor = scores[name].floor
        assert floor is not None
        assert floor == scores_of("same")[name].floor, "the floor knows nothing of the synthetic table"
        # Joint shares of 1,500 rows are noisy: the floor of `trend` is high, and the distance above it smaller.
        assert scores[name].detail["at_floor_size"] > 1.3 * floor, name
    assert value(scores, "trend") > value(scores_of("fresh"), "trend") * 1.5


def test_values_thrown_into_the_corners_fail_by_ks_alone() -> None:
    scores = scores_of("cornered")
    assert value(scores, "ks_mean") == pytest.approx(0.5, abs=0.05)
    assert ruling(scores, "ks_mean") is Ruling.RED
    assert value(scores, "corr_delta") <= 0.10
    assert ruling(scores, "corr_delta") is Ruling.GREEN
    assert value(scores, "tvd_mean") == 0
    assert value(scores, "spike_delta") > 0.3


def test_trees_do_worse_than_chance_on_copies_and_no_better_on_fresh_rows() -> None:
    train = adult_like(2_000, 1)
    copies = detection.FAMILY.compute(compared(train, train=train, held=train))["c2st_auc"]
    assert value({"c2st_auc": copies}, "c2st_auc") < 0.2
    assert "sign of copies" in copies.reason
    fresh = detection.FAMILY.compute(compared(adult_like(HELD, 3)))["c2st_auc"]
    assert fresh.value == pytest.approx(0.5, abs=0.04)
    assert fresh.floor == pytest.approx(0.5, abs=0.05)
    assert fresh.low is not None
    assert fresh.high is not None
    assert fresh.low < 0.52
    assert fresh.high > 0.48


def test_trees_tell_shuffled_columns_from_real_rows() -> None:
    score = detection.FAMILY.compute(compared(shuffled(adult_like(TRAIN, 1)), quick=True))["c2st_auc"]
    assert score.value is not None
    assert score.value > 0.95
    assert score.floor is None


def test_the_column_that_gives_a_table_away_is_named() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame["hours"] = frame["hours"] + np.random.default_rng(0).normal(size=TRAIN)
    score = detection.FAMILY.compute(compared(Table(train.schema, frame), quick=True))["c2st_auc"]
    columns = {key: figure for key, figure in score.detail.items() if key.startswith("column:")}
    assert max(columns, key=lambda key: columns[key]) == "column:hours"


def test_broken_decimals_and_unknown_categories_are_counted_by_column() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame["bmi"] = frame["bmi"] + 0.003
    score = measured(compared(Table(train.schema, frame)))["wrong_dtype"]
    assert score.value == 1
    assert set(score.detail) == {"column:bmi"}
    both = marginals.wrong_dtype_score({"age": "holds 'x'"}, compared(Table(train.schema, frame)))
    assert both.value == 2
    assert "age: holds 'x'" in both.reason
    wide = dataclasses.replace(train.schema["sex"], categories=("f", "m", "alien"))

    def with_aliens(rows: int) -> Score:
        frame = train.frame.copy()
        frame["sex"] = pd.Categorical(["alien"] * rows + list(frame["sex"])[rows:], categories=wide.categories)
        return marginals.wrong_dtype_score({}, compared(Table(train.schema.with_column(wide), frame)))

    # One alien is named; fresh real rows hold one as easily as the real rows here could have held it.
    assert with_aliens(1).detail == {"column:sex": pytest.approx(1 / TRAIN)}
    assert with_aliens(1).value == 0
    assert with_aliens(40).value == 1


def test_new_labels_count_where_exchanging_rows_does_not_explain_them() -> None:
    rng = np.random.default_rng(0)
    low = 0
    for _ in range(400):
        # Ten frequent labels and a tail of rare ones, of which fresh rows hold some that the real rows lack.
        shares = np.append(np.full(10, 0.0996), np.full(100, 4e-5))
        real, fresh = (np.bincount(rng.choice(110, rows, p=shares), minlength=110) for rows in (2_000, 2_000))
        low += marginals.new_labels_p_value(real, fresh) < 0.01
    assert low <= 8
    garbage = (
        np.concatenate([np.full(10, 200), np.zeros(60, dtype=int)]),
        np.concatenate([np.full(10, 194), np.ones(60)]),
    )
    assert marginals.new_labels_p_value(garbage[0], garbage[1].astype(int)) < 1e-4
    assert marginals.new_labels_p_value(np.array([1_000, 0]), np.array([990, 10])) < 0.01


def test_values_out_of_range_are_counted() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame.loc[:9, "age"] = 150.0
    score = measured(compared(Table(train.schema, frame)))["out_of_range"]
    assert score.detail["count"] == 10
    assert score.detail["column:age"] == pytest.approx(10 / TRAIN)


def test_lost_missing_values_lost_zeros_and_lost_categories_each_have_a_figure() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame["bmi"] = frame["bmi"].fillna(25.0)
    frame["gain"] = frame["gain"] + np.arange(1, TRAIN + 1)
    frame["country"] = pd.Categorical(["land-00"] * TRAIN, categories=train.schema["country"].categories)
    scores = measured(compared(Table(train.schema, frame)))
    missing = train.missing("bmi").mean()
    assert value(scores, "missing_delta") == pytest.approx(missing)
    assert scores["missing_delta"].detail["column:bmi"] == pytest.approx(missing)
    assert scores["spike_delta"].detail["column:gain"] == pytest.approx((train.numbers("gain") == 0).mean())
    assert scores["rare_coverage"].detail["column:country"] == 0
    assert scores["rare_coverage"].detail["column:job"] == 1


def test_a_wholly_missing_synthetic_column_is_as_far_as_can_be() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame["age"] = np.nan
    scores = measured(compared(Table(train.schema, frame)))
    assert scores["ks_mean"].detail["column:age"] == 1
    assert scores["missing_delta"].value == 1


def test_what_is_not_there_is_not_applicable_and_never_a_number() -> None:
    rng = np.random.default_rng(0)
    sexes = build({"sex": labels("sex", ("f", "m"))}, {"sex": rng.integers(0, 2, 100)})
    scores = measured(compared(sexes, train=sexes, held=sexes))
    for name in ("ks_mean", "corr_delta", "corr_loss", "trend", "spike_delta", "out_of_range", "broken_pairs"):
        assert scores[name].value is None, name
        assert not scores[name].applicable, name
        assert scores[name].reason, name
    assert scores["tvd_mean"].value == 0
    numbers = continuous(200, 3)
    plain = measured(compared(numbers, train=numbers, held=continuous(50, 3, 1)))
    assert not plain["tvd_mean"].applicable
    assert not plain["rare_coverage"].applicable
    assert not usefulness.FAMILY.compute(compared(numbers, train=numbers, held=numbers))["tstr"].applicable


def test_no_synthetic_row_is_unmeasured_not_good() -> None:
    none = adult_like(TRAIN, 1).take([])
    scores = {**measured(compared(none)), **detection.FAMILY.compute(compared(none))}
    for name in ("ks_mean", "corr_delta", "tvd_mean", "missing_delta", "trend", "c2st_auc", "rare_coverage"):
        assert scores[name].value is None, name
        assert scores[name].applicable, name


def test_constant_and_empty_columns_are_survived() -> None:
    table = continuous(300, 4)
    frame = table.frame.copy()
    frame["x0"], frame["x1"] = 7.0, np.nan
    odd = Table(table.schema, frame)
    scores = measured(compared(odd, train=odd, held=odd.take(np.arange(80))))
    assert value(scores, "ks_mean") == value(scores, "corr_delta") == 0
    far = measured(compared(table, train=odd, held=odd))
    assert all(score.value is None or np.isfinite(score.value) for score in far.values())


@pytest.mark.parametrize("rows", [200, 1_000])
def test_fresh_rows_of_a_small_table_are_never_proven_bad_and_shuffled_columns_are(rows: int) -> None:
    reds = 0
    for seed in range(6):
        train, held = adult_like(rows, 10 + seed), adult_like(rows // 4, 50 + seed)
        comparison = compared(adult_like(rows, 90 + seed), train=train, held=held)
        scores = {**marginals.MARGINS.compute(comparison), **dependence.FAMILY.compute(comparison)}
        reds += sum(
            ruling(scores, name) is Ruling.RED for name in ("ks_mean", "corr_delta", "tvd_mean", "missing_delta")
        )
    assert reds == 0
    table = continuous(rows, 5, 1)
    loose = dependence.FAMILY.compute(compared(shuffled(table), train=table, held=continuous(rows // 4, 5, 2)))
    assert loose["corr_delta"].p_value is not None
    assert loose["corr_delta"].p_value < 0.01
    assert ruling(loose, "corr_delta") is Ruling.RED
    assert ruling(scores_of("shuffled"), "corr_delta") is Ruling.RED


def test_the_null_p_value_of_fresh_rows_is_spread_evenly() -> None:
    found = []
    for seed in range(40):
        held = discrete(75, 300 + seed)
        comparison = compared(discrete(300, 100 + seed), train=discrete(300, 200 + seed), held=held)
        scores = {**marginals.MARGINS.compute(comparison), **dependence.FAMILY.compute(comparison)}
        found.append([scores[name].p_value for name in ("ks_mean", "tvd_mean", "corr_delta")])
    means = np.array(found, dtype=float).mean(axis=0)
    assert ((means > 0.3) & (means < 0.75)).all()


def test_units_widen_every_interval() -> None:
    train = adult_like(TRAIN, 1)
    repeated = train.take(np.repeat(np.arange(TRAIN // 3), 3))
    plain = compared(adult_like(TRAIN, 3), train=repeated)
    clustered = compared(adult_like(TRAIN, 3), train=with_units(repeated))

    def width(comparison: Comparison, name: str, seed: int) -> float:
        family = dependence.FAMILY if name == "corr_delta" else marginals.MARGINS
        score = family.compute(dataclasses.replace(comparison, streams=Streams(seed)))[name]
        assert score.upper is not None
        assert score.value is not None
        return score.upper - score.value

    for name, seeds in (("ks_mean", 1), ("tvd_mean", 1), ("corr_delta", 8)):
        one = np.mean([width(plain, name, seed) for seed in range(seeds)])
        other = np.mean([width(clustered, name, seed) for seed in range(seeds)])
        # Each training row counts three times: sqrt((1/1000 + 1/3000) / (2/3000)) = 1.41.
        assert 1.2 < other / one < 1.6, name


def test_a_model_learnt_from_fresh_rows_is_worth_as_much_as_one_learnt_from_real_rows() -> None:
    fresh = usefulness.FAMILY.compute(compared(adult_like(TRAIN, 3)))["tstr"]
    loose = usefulness.FAMILY.compute(compared(shuffled(adult_like(TRAIN, 1))))["tstr"]
    assert fresh.value is not None
    assert fresh.floor == fresh.detail["real"]
    assert fresh.value == pytest.approx(fresh.detail["real"], abs=0.03)
    assert fresh.value > 0.8
    assert loose.value is not None
    assert abs(loose.value - 0.5) < 0.1
    assert loose.detail["loss"] == pytest.approx(loose.detail["real"] - loose.value)
    assert loose.detail["loss_low"] > 0.2
    assert fresh.detail["loss_low"] < 0.02 < fresh.detail["loss_high"] + 0.02


def test_numbers_classes_and_survival_are_predicted_too() -> None:
    train, held, fresh = continuous(1_500, 5, 1), continuous(800, 5, 2), continuous(1_500, 5, 3)
    base = compared(fresh, train=train, held=held)
    number = usefulness.FAMILY.compute(dataclasses.replace(base, target="x0"))["tstr"]
    assert number.value is not None
    # Five columns that correlate by one half: four of them explain 4 r^2 / (1 + 3 r) = 0.4 of the fifth.
    assert 0.25 < number.value < 0.45
    mixed = dataclasses.replace(compared(adult_like(TRAIN, 3)), target="relation")
    several = usefulness.FAMILY.compute(mixed)["tstr"]
    assert several.value is not None
    assert several.value > 0.75
    held = survival(700, 2)
    lives = Comparison.of(train=survival(1_500, 1), holdout=held, synthetic=survival(1_500, 3), streams=Streams(0))
    timed = usefulness.FAMILY.compute(dataclasses.replace(lives, time="time", event="event"))["tstr"]
    hazard = held.numbers("risk") + 0.7 * held.codes("arm")
    best, _ = harrell_c(held.numbers("time"), held.numbers("event") > 0.5, hazard)
    assert timed.value == pytest.approx(best, abs=0.03)
    assert timed.reason.startswith("C-index")


def test_a_synthetic_target_of_one_class_teaches_nothing() -> None:
    train = adult_like(TRAIN, 1)
    frame = train.frame.copy()
    frame["income"] = pd.Categorical(["low"] * TRAIN, categories=("low", "high"))
    assert usefulness.FAMILY.compute(compared(Table(train.schema, frame)))["tstr"].value == 0.5


def test_a_target_that_does_not_exist_is_unmeasured_with_the_reason() -> None:
    score = usefulness.FAMILY.compute(dataclasses.replace(compared(adult_like(TRAIN, 3)), target="nobody"))["tstr"]
    assert score.value is None
    assert "nobody" in score.reason


def test_threads_and_repetition_change_no_figure() -> None:
    base = compared(adult_like(TRAIN, 3), quick=True)
    for family in (*FAST, detection.FAMILY, usefulness.FAMILY):
        once = family.compute(base)
        assert once == family.compute(dataclasses.replace(base, threads=2)), family.name


def test_the_order_of_columns_does_not_matter() -> None:
    train, held, fresh = adult_like(TRAIN, 1), adult_like(HELD, 2), adult_like(TRAIN, 3)

    def turned(table: Table) -> Table:
        columns = tuple(reversed(table.schema.columns))
        return Table(Schema(columns), table.frame[[column.name for column in columns]])

    one = scores_of("fresh")
    other = measured(compared(turned(fresh), train=turned(train), held=turned(held)))
    for name in ("ks_mean", "tvd_mean", "missing_delta", "corr_delta", "trend", "spike_delta", "broken_pairs"):
        assert value(one, name) == pytest.approx(value(other, name)), name
