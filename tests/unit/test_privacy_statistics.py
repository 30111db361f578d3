"""The statistics under the privacy figures against brute force, scipy, and tables small enough to do by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.stats import fisher_exact, mannwhitneyu

from synth_worker.errors import BadInput
from synth_worker.metrics.attack_space import Space
from synth_worker.metrics.base import Comparison, Score
from synth_worker.metrics.challenge import contents, draw_challenge, unit_numbers
from synth_worker.metrics.closeness import pool_shares, score_credits
from synth_worker.metrics.disclosure import compute as disclosure
from synth_worker.metrics.duplicates import (
    CopyCounts,
    _drawn_at_all,
    _fresh_chance,
    score_copies,
    score_duplicates,
)
from synth_worker.metrics.evidence import (
    Draw,
    draw_p_value,
    rank_sum,
    rank_sum_z,
    share_difference,
    top_draw,
    tpr_at,
    upper_tail,
)
from synth_worker.metrics.membership import Battery, score_battery
from synth_worker.metrics.neighbours import credit, nearest, nearest_index
from synth_worker.schema import Column, Kind
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.tables import adult_like, build, continuous, discrete, with_units


def cloud(rows: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, width)).astype(np.float32) - np.float32(0.5)


@pytest.mark.parametrize("threads", [1, 2])
def test_nearest_distances_are_those_of_all_pairs(threads: int) -> None:
    queries, points = cloud(600, 12, 1), cloud(450, 12, 2)
    points[7] = queries[3]
    slow = np.sort(cdist(queries, points, "sqeuclidean"), axis=1)[:, :5]
    found = nearest(queries, points, count=5, threads=threads)
    assert_allclose(found, slow, atol=1e-4)
    assert found[3, 0] == 0.0
    assert np.array_equal(nearest_index(queries, points), cdist(queries, points).argmin(axis=1))


def test_left_out_rows_are_no_neighbours_of_themselves() -> None:
    points = cloud(300, 4, 3)
    slow = cdist(points, points, "sqeuclidean")
    np.fill_diagonal(slow, np.inf)
    assert_allclose(nearest(points, points, leave_one_out=True)[:, 0], slow.min(axis=1), atol=1e-4)
    with pytest.raises(BadInput, match="too few"):
        nearest(points[:1], points[:1], leave_one_out=True)


def test_a_narrow_table_keeps_its_small_distances() -> None:
    points = cloud(2_000, 1, 4)
    slow = cdist(points, points, "sqeuclidean")
    np.fill_diagonal(slow, np.inf)
    found = nearest(points, points, leave_one_out=True)[:, 0]
    assert np.abs(np.sqrt(found) - np.sqrt(slow.min(axis=1))).max() < 2e-3
    assert len(np.unique(found)) > 3


def test_fewer_points_than_asked_for_repeat_the_farthest() -> None:
    found = nearest(cloud(3, 2, 5), cloud(2, 2, 6), count=5)
    assert found.shape == (3, 5)
    assert np.array_equal(found[:, 1], found[:, 4])


def test_equal_labels_are_equal_and_others_one_apart() -> None:
    labels = [f"v{one}" for one in range(300)]
    column = Column("c", Kind.CATEGORICAL, categories=tuple(labels), nullable=True)
    table = build({"c": column}, {"c": np.append(np.arange(300), -1)})
    points = Space.fit([table]).encode(table)
    assert points.shape[1] <= 128
    squared = cdist(points, points, "sqeuclidean")
    assert_allclose(np.unique(squared.round(5)), [0, 1])
    assert (squared > 0.5).mean() > 0.98


def test_a_space_without_rows_or_columns_is_refused() -> None:
    table = continuous(5, columns=1)
    with pytest.raises(BadInput, match="none"):
        Space.fit([table.take([])])


def test_missing_numbers_are_apart_from_present_ones() -> None:
    table = build({"x": Column("x", Kind.NUMERIC, nullable=True)}, {"x": np.array([1.0, 2.0, np.nan])})
    points = Space.fit([table]).encode(table)
    assert ((points[2] - points[:2]) ** 2).sum(axis=1).min() >= 0.49


# Distances to the closest record, by hand: synthetic rows at 0.0 and 0.9 among train (0.1, 1.0) and held (-0.1, 5, 6).
def test_credit_and_share_of_five_rows_by_hand() -> None:
    real = np.array([[0.1], [1.0], [-0.1], [5.0], [6.0]], dtype=np.float32)
    shares = credit(np.array([[0.0], [0.9]], dtype=np.float32), real)
    assert_allclose(shares, [0.5, 1.0, 0.5, 0, 0])
    score = score_credits(shares, np.array([True, True, False, False, False]), alpha=0.05)
    assert score.detail["nearest_is_learnt"] == pytest.approx(0.75)
    assert score.value == pytest.approx(0.5 + (0.75 - 0.4) / (2 * 0.6))


def test_no_bound_of_a_share_lies_beyond_all_copied() -> None:
    learnt = np.arange(40) < 20
    score = score_credits(np.where(learnt, np.arange(40) % 7 + 1.0, 0.0), learnt, alpha=0.05)
    assert score.value == score.high == score.upper == 1.0
    other = score_credits(np.where(learnt, 3.0, 2.0) * (np.arange(40) % 9 == 0), learnt, alpha=0.05)
    assert other.low is not None
    assert other.low >= 0.0


def test_the_permutation_error_is_that_of_permutations() -> None:
    rng = np.random.default_rng(5)
    shares = rng.gamma(0.5, size=60)
    learnt = np.arange(60) < 40
    drawn = np.array([score_credits(shares, rng.permutation(learnt), alpha=0.05).value for _ in range(4_000)])
    score = score_credits(shares, learnt, alpha=0.05)
    assert drawn.std() == pytest.approx(score.detail["se"], rel=0.05)
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)


def test_units_dealt_as_wholes_widen_the_share() -> None:
    table = with_units(adult_like(900, seed=8), size=9)
    own = Comparison.of(
        train=table.take(np.arange(450)),
        holdout=table.take(np.arange(450, 900)),
        synthetic=adult_like(450, seed=9),
        streams=Streams(0),
    )
    numbers = unit_numbers(own.train, own.holdout)
    assert numbers is not None
    assert numbers.max() == 99


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_one_fold_is_fishers_exact_test(members: int, others: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, members))
    found = data.draw(st.integers(0, others))
    table = [[hits, members - hits], [found, others - found]]
    p_value = draw_p_value([Draw(total=members + others, marked=hits + found, drawn=members, hits=hits)])
    assert p_value == pytest.approx(fisher_exact(table, alternative="greater").pvalue, abs=1e-9)


def test_folds_are_exchanged_within_themselves() -> None:
    rng = np.random.default_rng(0)
    folds = [Draw(20, 6, 8, 5), Draw(15, 4, 5, 3)]
    drawn = sum(rng.hypergeometric(one.marked, one.total - one.marked, one.drawn, size=200_000) for one in folds)
    assert draw_p_value(folds) == pytest.approx((drawn >= 8).mean(), abs=0.003)


def test_the_top_counts_ties_by_their_chance() -> None:
    scores = np.array([5.0, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    member = np.array([True, True, True, False, False, True, False, False, False, False])
    draw = top_draw(scores, member, share=0.3)
    assert (draw.drawn, draw.marked, draw.hits) == (3, 4, 2.0)  # the 5, and two of four ones that are half members


scores_of = st.lists(st.integers(0, 4), min_size=2, max_size=15)


@given(scores_of, scores_of)
def test_rank_sums_are_scipys(one: list[int], other: list[int]) -> None:
    members, nonmembers = np.array(one, dtype=float), np.array(other, dtype=float)
    if len(set(one + other)) == 1:
        assert rank_sum_z([rank_sum(members, nonmembers)]) == 0
        return
    slow = mannwhitneyu(members, nonmembers, alternative="greater", method="asymptotic", use_continuity=False)
    assert upper_tail(rank_sum_z([rank_sum(members, nonmembers)])) == pytest.approx(slow.pvalue, abs=1e-9)


@settings(max_examples=50)
@given(scores_of, scores_of, st.sampled_from([0.01, 0.05, 0.3]))
def test_tpr_lies_on_the_roc_of_coins_thrown_for_ties(one: list[int], other: list[int], fpr: float) -> None:
    members, nonmembers = np.array(one, dtype=float), np.array(other, dtype=float)
    # Move the threshold down; within a tie take a share w of it, the one that gives the false alarm rate.
    best = 0.0
    for cut in sorted(set(one + other), reverse=True):
        above, tied = (nonmembers > cut).mean(), (nonmembers == cut).mean()
        if above + tied >= fpr - 1e-12:
            weight = 1.0 if tied == 0 else max((fpr - above) / tied, 0)
            best = (members > cut).mean() + weight * (members == cut).mean()
            break
    assert tpr_at(members, nonmembers, fpr=fpr) == pytest.approx(best)


def test_newcombes_published_interval() -> None:
    found = share_difference(56 / 70, 70, 48 / 80, 80, alpha=0.025)  # Newcombe 1998, table II, (a), method 10
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.upper == pytest.approx(found.high)


def test_the_chance_of_a_fresh_row_is_that_of_all_training_sets() -> None:
    real = np.array([1, 1, 1, 2, 2, 3, 4, 5, 5, 6])
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(20_000):
        order = rng.permutation(real)
        hits.append(order[0] in order[1:5])
    assert _fresh_chance(real, None, trained=4).mean() == pytest.approx(np.mean(hits), abs=0.01)
    assert _drawn_at_all(2, 3, 4) == 1.0
    assert _drawn_at_all(0, 3, 4) == 0.0


def test_a_persons_own_repeats_are_no_evidence() -> None:
    real, units = np.array([1, 1, 2, 2]), np.array([0, 0, 1, 1])
    assert_allclose(_fresh_chance(real, units, trained=1), 0)
    assert _fresh_chance(real, None, trained=2).min() > 0


def test_the_duplicate_test_holds_its_level_on_a_discrete_table() -> None:
    z = []
    for seed in range(60):
        table = discrete(1_100, seed=seed)
        train, holdout, fresh = (table.take(np.arange(a, b)) for a, b in ((0, 400), (400, 700), (700, 1_100)))
        own = Comparison.of(train=train, holdout=holdout, synthetic=fresh, streams=Streams(0))
        score = score_duplicates(own)["dup_rate"]
        assert score.p_value is not None
        z.append(score.value)
        assert score.p_value > 0.001
    assert abs(np.mean(z)) < 0.01


def test_a_record_counts_in_every_fold_and_for_the_interval_once() -> None:
    ids = np.arange(100)
    present = np.zeros(100, dtype=bool)
    present[:5] = True
    folds = [CopyCounts(present, np.zeros(25, dtype=bool), ratio=1.0, train_ids=ids) for _ in range(2)]
    one, two = score_copies(folds[:1])["copy_excess"], score_copies(folds)["copy_excess"]
    assert one.value == two.value == pytest.approx(0.05)
    assert (two.detail["train_records"], two.detail["held_records"]) == (100, 50)
    # The test sees both folds, the interval no more than the hundred records that there are.
    assert two.p_value == pytest.approx(one.p_value**2, rel=0.25)
    assert two.upper - two.value == pytest.approx(one.upper - one.value, rel=0.1)


def crossfitted(scores: Callable[[int, np.ndarray], np.ndarray], *, rows: int, seed: int) -> list[Battery]:
    """Deal ``rows`` records into five folds, 80 % of the rest as members, and score them by ``scores(fold, ids)``."""
    rng = np.random.default_rng(seed)
    dealt = rng.permutation(rows) % 5
    batteries = []
    for fold in range(5):
        held, rest = np.flatnonzero(dealt == fold), np.flatnonzero(dealt != fold)
        members = np.sort(rng.choice(rest, round(0.8 * len(rest)), replace=False))
        batteries.append(
            Battery(
                scores={"distance": (scores(fold, members), scores(fold, held))},
                isolation=(np.zeros(len(members)), np.zeros(len(held))),
                member_ids=members,
                nonmember_ids=held,
            )
        )
    return batteries


@pytest.mark.parametrize("lasting", [False, True], ids=["new scores in each fold", "a record scores the same in all"])
def test_the_tail_test_of_pooled_folds_holds_its_level(lasting: bool) -> None:
    below = 0
    for seed in range(200):
        rng = np.random.default_rng(10_000 + seed)
        same = rng.normal(size=200)
        drawn = crossfitted(lambda _fold, ids: same[ids] if lasting else rng.normal(size=len(ids)), rows=200, seed=seed)  # noqa: B023
        below += score_battery(drawn, alpha=0.05)["mia_tpr"].p_value < 0.05
    assert below <= 19  # 5 % of 200 and three standard errors


def test_the_tail_of_pooled_folds_has_the_spread_that_it_claims() -> None:
    found, claimed = [], []
    for seed in range(200):
        rng = np.random.default_rng(20_000 + seed)
        drawn = crossfitted(lambda _fold, ids: rng.normal(size=len(ids)), rows=200, seed=seed)  # noqa: B023
        score = score_battery(drawn, alpha=0.05)
        found.append(score["mia_tpr"].value)
        claimed.append((score["mia_tpr"].upper - score["mia_tpr"].value) / 1.6449)
    assert np.mean(claimed) == pytest.approx(np.std(found), rel=0.3)
    assert np.std(found) < 0.02  # counting each record once gives 0.022


def test_a_record_found_in_all_its_folds_is_one_observation() -> None:
    same = np.random.default_rng(1).normal(size=200)
    once = score_battery(crossfitted(lambda _fold, ids: same[ids], rows=200, seed=1), alpha=0.05)["mia_tpr"]
    assert once.detail["members"] == pytest.approx(200, abs=2)
    rate = once.value * 0.95 + 0.05
    least = math.sqrt(rate * (1 - rate) / 200 + 0.05 * 0.95 / 200) / 0.95
    assert (once.upper - once.value) / 1.6449 >= 0.95 * least


def test_pooled_shares_are_averaged_with_the_errors_of_the_folds() -> None:
    rng = np.random.default_rng(2)
    learnt = np.arange(250) < 190
    folds = [score_credits(rng.gamma(0.5, size=250), rng.permutation(learnt), alpha=0.05) for _ in range(5)]
    pooled = pool_shares(folds, alpha=0.05)
    assert pooled.value == pytest.approx(np.mean([one.value for one in folds]))
    assert pooled.detail["se"] == pytest.approx(math.sqrt(sum(one.detail["se"] ** 2 for one in folds)) / 5)
    assert pooled.rows == 300
    blank = Score.unmeasured("too few")
    assert pool_shares([*folds, blank], alpha=0.05).value is None


def test_the_pooled_share_errs_to_the_wide_side_where_rows_keep_their_credit() -> None:
    rng = np.random.default_rng(3)
    lasting = rng.gamma(0.5, size=250)
    found = []
    for seed in range(400):
        dealt = np.random.default_rng(seed).permutation(250) % 5
        folds = [score_credits(lasting, dealt != one, alpha=0.05) for one in range(5)]
        found.append(pool_shares(folds, alpha=0.05))
    assert np.std([one.value for one in found]) <= found[0].detail["se"]


def test_folds_are_averaged_and_members_counted() -> None:
    rng = np.random.default_rng(3)
    batteries = []
    for fold in range(5):
        ids = np.setdiff1d(np.arange(200), np.arange(fold * 40, fold * 40 + 40))
        scores = {"distance": (rng.normal(size=160), rng.normal(size=40))}
        isolation = (rng.random(160), rng.random(40))
        held = np.arange(fold * 40, fold * 40 + 40)
        batteries.append(Battery(scores=scores, isolation=isolation, member_ids=ids, nonmember_ids=held))
    pooled = score_battery(batteries, alpha=0.05)
    single = [score_battery([one], alpha=0.05)["mia_auc"] for one in batteries]
    assert pooled["mia_auc"].value == pytest.approx(np.mean([one.value for one in single]))
    error = math.sqrt(sum(one.detail["se:distance"] ** 2 for one in single)) / 5
    assert pooled["mia_auc"].detail["se:distance"] == pytest.approx(error)
    assert pooled["mia_tpr"].detail["members"] == 200
    assert pooled["mia_tpr"].detail["nonmembers"] == 200


def test_only_records_without_an_equal_are_attacked() -> None:
    table = discrete(900, seed=5)
    train, holdout, fresh = (table.take(np.arange(a, a + 300)) for a in (0, 300, 600))
    own = Comparison.of(train=train, holdout=holdout, synthetic=fresh, streams=Streams(0))
    challenge = draw_challenge(own)
    found = contents(own)
    pool = pd.concat([train.frame, holdout.frame], ignore_index=True)
    unique = ~pool.duplicated(keep=False).to_numpy()
    assert np.array_equal(found.train_unique, unique[:300])
    assert np.array_equal(challenge.members, np.flatnonzero(unique[:300]))
    assert np.array_equal(challenge.nonmembers, np.flatnonzero(unique[300:]))


def people(rows: int, synthetic: str, seed: int = 0) -> Comparison:
    table = adult_like(3 * rows, seed=seed)
    train, holdout, fresh = (table.take(np.arange(a * rows, (a + 1) * rows)) for a in range(3))
    chosen: Table = train if synthetic == "copy" else fresh
    return Comparison.of(train=train, holdout=holdout, synthetic=chosen, streams=Streams(seed))


def test_a_copy_gives_all_three_risks_and_fresh_rows_none() -> None:
    risky, safe = disclosure(people(800, "copy")), disclosure(people(800, "fresh"))
    assert risky["attribute_risk"].value > 0.9
    assert risky["linkability_risk"].value > 0.8
    assert risky["singling_out_risk"].value > 0.2
    for name, score in safe.items():
        assert abs(score.value) < 0.06, name
        assert score.p_value > 0.001, name
        assert risky[name].p_value < 0.002, name


def test_one_column_has_nothing_to_infer() -> None:
    table = continuous(300, columns=1)
    train, holdout, fresh = (table.take(np.arange(a, a + 100)) for a in (0, 100, 200))
    scores = disclosure(Comparison.of(train=train, holdout=holdout, synthetic=fresh, streams=Streams(0)))
    assert not scores["attribute_risk"].applicable
    assert scores["singling_out_risk"].value is not None
