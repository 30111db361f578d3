"""Tables whose leak is known: copies are found, fresh real rows are not accused (MEASURES.md, "Known answers")."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from synth_worker.gates import Judged, Ruling, profile, rule
from synth_worker.metrics import attacks, membership
from synth_worker.metrics.base import Comparison, Score
from synth_worker.metrics.closeness import dcr_share
from synth_worker.metrics.duplicates import count_copies, score_copies, score_duplicates
from synth_worker.metrics.membership import run_battery, score_battery
from synth_worker.metrics.power import jittered, power_check
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.tables import adult_like, continuous, discrete, with_units

GATES = {gate.metric: gate for gate in profile("standard").gates}
OVER = (Ruling.RED, Ruling.SUSPICIOUS, Ruling.UNMEASURED)
GREEN = ("mia_auc", "mia_tpr", "dup_rate", "copy_excess", "dcr_share")


def parts(table: Table, *sizes: int) -> list[Table]:
    ends = np.cumsum([0, *sizes])
    return [table.take(np.arange(start, end)) for start, end in pairwise(ends)]


def joined(*tables: Table) -> Table:
    return Table(tables[0].schema, pd.concat([table.frame for table in tables], ignore_index=True))


def with_copies(fresh: Table, train: Table, share: float) -> Table:
    few = round(share * fresh.rows)
    return joined(fresh.take(np.arange(fresh.rows - few)), train.take(np.arange(few)))


def comparison(train: Table, holdout: Table, synthetic: Table, *, seed: int = 0, quick: bool = False) -> Comparison:
    return Comparison.of(train=train, holdout=holdout, synthetic=synthetic, streams=Streams(seed), quick=quick)


def privacy(given: Comparison) -> dict[str, Score]:
    return {
        **score_battery([run_battery(given)], alpha=0.05),
        **score_duplicates(given),
        **score_copies([count_copies(given)]),
        "dcr_share": dcr_share(given),
    }


def ruled(scores: dict[str, Score]) -> dict[str, Judged]:
    return {name: rule(GATES[name], scores[name]) for name in GREEN}


@pytest.fixture(scope="module")
def people() -> list[Table]:
    return parts(adult_like(12_500, seed=3), 5_000, 2_500, 5_000)


def test_an_identical_table_is_all_copies(people: list[Table]) -> None:
    train, holdout, _ = people
    scores = privacy(comparison(train, holdout, train))
    assert scores["dup_rate_raw"].value == 1.0
    assert scores["mia_auc"].value >= 0.99
    assert scores["copy_excess"].value == 1.0
    assert scores["dcr_share"].value == pytest.approx(1.0)
    assert all(one.ruling is Ruling.RED for one in ruled(scores).values())


def test_fresh_rows_are_green_at_5000(people: list[Table]) -> None:
    scores = privacy(comparison(*people))
    assert {name: one.ruling for name, one in ruled(scores).items()} == dict.fromkeys(GREEN, Ruling.GREEN)
    assert abs(scores["dcr_share"].value - 0.5) < 0.03


@pytest.mark.slow
def test_fresh_rows_are_green_at_5000_in_nearly_all_trials() -> None:
    greens = 0
    for seed in range(20):
        train, holdout, fresh = parts(adult_like(12_500, seed=100 + seed), 5_000, 2_500, 5_000)
        found = ruled(privacy(comparison(train, holdout, fresh, seed=seed)))
        assert not {one.ruling for one in found.values()} & set(OVER)
        greens += all(one.ruling is Ruling.GREEN for one in found.values())
    assert greens >= 18


@pytest.mark.parametrize("rows", [200, 600])
def test_fresh_rows_are_not_red_at_few_rows(rows: int) -> None:
    for seed in range(6):
        train, holdout, fresh = parts(adult_like(3 * rows, seed=seed), rows, rows // 4, rows)
        found = ruled(privacy(comparison(train, holdout, fresh, seed=seed)))
        assert not {one.ruling for one in found.values()} & set(OVER)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 600, 2_000])
def test_fresh_rows_are_never_red_in_many_trials(rows: int) -> None:
    for seed in range(36):
        train, holdout, fresh = parts(adult_like(3 * rows, seed=1_000 + seed), rows, rows // 3, rows)
        found = ruled(privacy(comparison(train, holdout, fresh, seed=seed)))
        assert not {one.ruling for one in found.values()} & set(OVER)


def test_five_percent_copies_are_red_by_the_tail_alone(people: list[Table]) -> None:
    train, holdout, fresh = people
    score = score_battery([run_battery(comparison(train, holdout, with_copies(fresh, train, 0.05)))], alpha=0.05)
    assert score["mia_tpr"].value > 0.03
    assert score["mia_tpr"].p_value < 0.002
    assert rule(GATES["mia_tpr"], score["mia_tpr"]).ruling is Ruling.RED
    # The AUC does not see them: that is why the tail is tested.
    assert rule(GATES["mia_auc"], score["mia_auc"]).ruling is Ruling.GREEN


def test_five_percent_copies_are_red_in_the_quick_set_too(people: list[Table]) -> None:
    train, holdout, fresh = people
    scores = privacy(comparison(train, holdout, with_copies(fresh, train, 0.05), quick=True))
    assert ruled(scores)["mia_tpr"].ruling is Ruling.RED
    assert ruled(scores)["copy_excess"].ruling is Ruling.RED


@pytest.mark.parametrize("held", [4_000, 1_500])
def test_twenty_percent_copies_move_the_nearest_distance_to_sixty(held: int) -> None:
    train, holdout, fresh = parts(continuous(8_000 + held, seed=held), 4_000, held, 4_000)
    assert dcr_share(comparison(train, holdout, with_copies(fresh, train, 0.2))).value == pytest.approx(0.6, abs=0.04)
    assert dcr_share(comparison(train, holdout, fresh)).value == pytest.approx(0.5, abs=0.03)


def test_jittered_training_rows_are_red(people: list[Table]) -> None:
    train, holdout, _ = people
    near = jittered(train, like=train, rng=np.random.default_rng(0))
    scores = privacy(comparison(train, holdout, near))
    assert scores["dup_rate_raw"].value < 0.01
    assert Ruling.RED in {one.ruling for one in ruled(scores).values()}


@pytest.mark.parametrize("seed", range(8))
def test_fresh_rows_of_a_discrete_table_are_no_copies(seed: int) -> None:
    train, holdout, fresh = parts(discrete(2_600, seed=seed), 1_000, 600, 1_000)
    scores = privacy(comparison(train, holdout, fresh, seed=seed))
    assert scores["dup_rate_raw"].value > 0.3
    assert not {one.ruling for one in ruled(scores).values()} & set(OVER)


def test_copies_in_a_discrete_table_are_found() -> None:
    train, holdout, fresh = parts(discrete(2_600, seed=1), 1_000, 600, 1_000)
    scores = privacy(comparison(train, holdout, with_copies(fresh, train, 0.5)))
    assert scores["dup_rate"].value > 0.05
    assert scores["dup_rate"].p_value < 0.002


def test_records_that_all_repeat_are_judged_as_they_are() -> None:
    table = discrete(300, seed=2)
    train, holdout = joined(table, table), joined(table, table)
    scores = privacy(comparison(train, holdout, table))
    assert scores["mia_auc"].detail["pool_unique_share"] == 0
    assert scores["mia_auc"].detail["diluted"] == 1
    assert scores["mia_auc"].value == pytest.approx(0.5)
    assert scores["copy_excess"].value == 0.0


def test_a_handful_of_rows_is_unmeasured_and_not_green() -> None:
    train, holdout, fresh = parts(adult_like(45, seed=1), 20, 5, 20)
    scores = privacy(comparison(train, holdout, fresh))
    assert scores["mia_auc"].value is None
    assert "5 non-members" in scores["mia_auc"].reason
    assert rule(GATES["mia_auc"], scores["mia_auc"]).ruling is Ruling.UNMEASURED


def test_an_attack_turned_round_is_suspicious(people: list[Table]) -> None:
    train, holdout, _ = people
    near = jittered(train, like=train, rng=np.random.default_rng(0))
    battery = run_battery(comparison(train, holdout, near, quick=True))
    turned = replace(battery, scores={name: (-one, -other) for name, (one, other) in battery.scores.items()})
    score = score_battery([turned], alpha=0.05)["mia_auc"]
    assert score.suspicious
    assert rule(GATES["mia_auc"], score).ruling is Ruling.SUSPICIOUS


def test_a_match_attack_below_half_is_not_suspicious() -> None:
    scores = {attacks.MATCH: (np.zeros(500), np.append(np.ones(50), np.zeros(450)))}
    battery = membership.Battery(scores=scores, isolation=(np.zeros(500), np.zeros(500)))
    score = score_battery([battery], alpha=0.05)["mia_auc"]
    assert score.value < 0.5
    assert not score.suspicious


def test_persons_with_several_rows_count_once() -> None:
    table = with_units(adult_like(1_800, seed=4))
    train, holdout, fresh = parts(table, 900, 300, 600)
    scores = privacy(comparison(train, holdout, fresh))
    assert scores["mia_auc"].detail["members"] == 300
    assert scores["mia_auc"].detail["nonmembers"] == 100
    assert not {one.ruling for one in ruled(scores).values()} & set(OVER)


def test_the_audit_sees_injected_copies(people: list[Table]) -> None:
    def green(scores: object) -> bool:
        return all(rule(GATES[name], scores[name]).ruling is Ruling.GREEN for name in ("mia_auc", "mia_tpr"))  # type: ignore[index]

    power = power_check(comparison(*people), green=green)
    assert power.exact_detected
    assert power.exact["mia_tpr"].value > 0.03
    assert power.reason == ""
    few = power_check(comparison(*parts(adult_like(45, seed=1), 20, 5, 20)), green=green)
    assert not few.exact_detected
    assert few.reason


def test_threads_change_nothing(people: list[Table]) -> None:
    train, holdout, fresh = (table.take(np.arange(700)) for table in people)
    given = comparison(train, holdout, fresh)
    assert privacy(given) == privacy(replace(given, threads=2))
