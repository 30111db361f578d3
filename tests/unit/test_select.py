"""Over-sampling and selecting: margins come nearer, rows stay distinct, copies are neither preferred nor repelled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.select import Copies, chances, select_rows
from synth_worker.table import Table, row_hashes
from tests.tables import adult_like, chained_labels, continuous, discrete, shuffled


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def stacked(*tables: Table) -> Table:
    return Table(tables[0].schema, pd.concat([one.frame for one in tables], ignore_index=True))


def test_margins_come_nearer_to_the_training_rows() -> None:
    train, pool = adult_like(3_000, 1).modelled(), adult_like(14_000, 9).modelled()
    # Half of the women are missing from the pool, and those who work much even more so.
    odds = np.where(pool.codes("sex") == 1, 1.0, np.where(pool.numbers("hours") > 45, 0.3, 0.5))
    biased = pool.take(np.flatnonzero(rng().random(pool.rows) < odds))
    made = select_rows(biased, train=train, rows=3_000, rng=rng())

    def share(table: Table) -> np.ndarray:
        long = (table.numbers("hours") > 45).astype(int)
        return np.bincount(table.codes("sex") * 2 + long, minlength=4) / table.rows

    assert np.abs(share(made) - share(train)).sum() < 0.4 * np.abs(share(biased) - share(train)).sum()


def test_rows_are_those_of_the_pool_each_at_most_once() -> None:
    pool = continuous(2_000, 3, 1)
    made = select_rows(pool, train=continuous(400, 3, 2), rows=500, rng=rng())
    assert made.rows == 500
    hashes = row_hashes(made)
    assert len(np.unique(hashes)) == 500
    assert np.isin(hashes, row_hashes(pool)).all()


def test_a_good_pool_is_left_nearly_as_it_is() -> None:
    train, pool = adult_like(2_000, 1).modelled(), adult_like(8_000, 9).modelled()
    made = select_rows(pool, train=train, rows=2_000, rng=rng())
    for name in ("age", "hours"):
        # Sampling error of the training mean is not chased.
        assert abs(made.numbers(name).mean() - pool.numbers(name).mean()) < 0.1 * pool.numbers(name).std()


def test_copies_are_kept_as_often_as_chance_keeps_them() -> None:
    train = adult_like(2_000, 1).modelled()
    pool = stacked(train, *(shuffled(adult_like(2_000, seed).modelled(), seed) for seed in (2, 3, 4)))
    made = select_rows(pool, train=train, rows=2_000, rng=rng())
    share = np.isin(row_hashes(made), row_hashes(train)).mean()
    assert abs(share - 0.25) < 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_of_a_poor_pool_rows_learnt_from_are_kept_as_often_as_rows_never_seen(seed: int) -> None:
    real = chained_labels(8_000, seed)
    train, held = real.take(np.arange(3_000)), real.take(np.arange(3_000, 8_000))
    pool = shuffled(chained_labels(12_000, seed + 10), seed)
    made = row_hashes(select_rows(pool, train=train, rows=3_000, rng=rng(seed)))
    known, fresh = row_hashes(train), row_hashes(held)
    both = np.concatenate([known, fresh])
    contents, counts = np.unique(both, return_counts=True)
    single = contents[counts == 1]
    learnt, unseen = (np.isin(one[np.isin(one, single)], made).mean() for one in (known, fresh))
    spread = 3 * np.sqrt(unseen * (1 - unseen) * (1 / len(single) + 1 / (np.isin(known, single).sum())))
    assert abs(learnt - unseen) < spread


def test_copies_that_would_exceed_what_there_are_leave_their_place_to_other_rows() -> None:
    weights = np.concatenate([np.full(560, 5.0), np.full(240, 0.1)])
    copies = Copies(np.arange(800) < 560, most=0.9)
    assert abs(chances(weights, 700, copies=copies).sum() - 700) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 200), st.integers(200, 600)),
    share=st.floats(0.01, 0.9),
    most=st.floats(0.01, 0.9),
    seed=st.integers(0, 99),
)
def test_copies_are_never_kept_beyond_their_share(sizes: tuple[int, int], share: float, most: float, seed: int) -> None:
    copies, others = sizes
    weights = np.exp(rng(seed).normal(size=copies + others))
    rows = round(share * others)
    chance = chances(weights, rows, copies=Copies(np.arange(copies + others) < copies, most))
    assert chance[:copies].sum() <= rows * most + 1e-6
    assert chance.sum() == pytest.approx(rows)
    assert chance.max() <= 1 + 1e-9


def test_heavy_rows_that_are_certain_give_what_is_cut_to_no_copy() -> None:
    weights = np.concatenate([np.ones(500), np.full(100, 5.0), np.full(400, 0.1)])
    chance = chances(weights, 250, copies=Copies(np.arange(1_000) < 500, 0.5))
    assert chance[:500].sum() <= 125 + 1e-6


def test_a_discrete_table_keeps_its_rate_of_rows_equal_by_chance() -> None:
    train, pool = discrete(1_000, 1).modelled(), discrete(4_000, 2).modelled()
    made = select_rows(pool, train=train, rows=1_000, rng=rng())
    known = row_hashes(train)
    assert abs(np.isin(row_hashes(made), known).mean() - np.isin(row_hashes(pool), known).mean()) < 0.06


@pytest.mark.parametrize("rows", [0, 1, 300])
def test_any_number_up_to_the_pool_can_be_selected(rows: int) -> None:
    pool = continuous(300, 2, 1)
    assert select_rows(pool, train=continuous(50, 2, 2), rows=rows, rng=rng()).rows == rows


def test_a_pool_that_is_too_small_is_refused() -> None:
    with pytest.raises(BadInput, match="300"):
        select_rows(continuous(300, 2, 1), train=continuous(50, 2, 2), rows=301, rng=rng())
