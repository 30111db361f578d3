"""Density ratios: they find what a pool lacks, leave a faithful one alone, and do not depend on threads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synth_worker.likeness import FEWEST_ROWS, density_ratios
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table, row_hashes
from tests.tables import adult_like, chained_labels, continuous, shuffled


def pair(rows: int, seed: int, *, together: float) -> Table:
    """Return a number whose sign goes with a label in a share ``together`` of the rows."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    sign = np.where(rng.random(rows) < together, 2 * label - 1, 1 - 2 * label)
    frame = pd.DataFrame(
        {
            "x": sign * np.abs(rng.normal(size=rows)),
            "c": pd.Categorical.from_codes(label, dtype=pd.CategoricalDtype(["a", "b"])),
        }
    )
    columns = (Column("x", Kind.NUMERIC), Column("c", Kind.CATEGORICAL, categories=("a", "b")))
    return Table(Schema(columns), frame)


def test_a_known_ratio_is_found() -> None:
    train, pool = pair(4_000, 1, together=0.9), pair(16_000, 2, together=0.5)
    found = density_ratios(pool, train, rng=np.random.default_rng(0))
    agree = (pool.numbers("x") > 0) == (pool.codes("c") == 1)
    # The true ratios are 0.9 / 0.5 and 0.1 / 0.5.
    assert abs(np.median(found[agree]) - 1.8) < 0.2
    assert abs(np.median(found[~agree]) - 0.2) < 0.1


def test_a_pool_like_the_training_rows_is_hardly_weighted() -> None:
    train, pool = adult_like(4_000, 1).modelled(), adult_like(16_000, 9).modelled()
    found = np.clip(density_ratios(pool, train, rng=np.random.default_rng(0)), 0.1, 5.0)
    assert abs(found.mean() - 1) < 0.15
    assert np.std(np.log(found)) < 0.6


def test_rows_near_to_training_rows_are_neither_preferred_nor_repelled() -> None:
    train = continuous(2_000, 4, 1)
    others = continuous(2_000, 4, 2)
    pool = Table(train.schema, pd.concat([train.frame, others.frame, continuous(4_000, 4, 3).frame], ignore_index=True))
    found = density_ratios(pool, train, rng=np.random.default_rng(0))
    assert 0.8 < found[:2_000].mean() / found[2_000:4_000].mean() < 1.25


def gained(train: Table, unseen: Table, pool: Table, seed: int) -> float:
    """Return the logarithm of what rows equal to a single training row weigh, beside rows equal to an unseen one."""
    found = np.clip(density_ratios(pool, train, rng=np.random.default_rng(seed)), 0.1, 5.0)
    drawn, known, others = (row_hashes(one) for one in (pool, train, unseen))
    member = np.isin(drawn, np.setdiff1d(known, others))
    stranger = np.isin(drawn, np.setdiff1d(others, known))
    return float(np.log(found[member].mean() / found[stranger].mean()))


def test_rows_equal_to_a_training_row_weigh_what_rows_equal_to_an_unseen_one_weigh() -> None:
    logs = []
    for seed in range(6):
        real = chained_labels(3_000, seed)
        train, unseen = real.take(np.arange(1_500)), real.take(np.arange(1_500, 3_000))
        logs.append(gained(train, unseen, shuffled(chained_labels(6_000, seed + 50), seed), seed))
    assert abs(np.mean(logs)) < 0.12


def test_rows_of_one_person_do_not_teach_what_they_weigh() -> None:
    logs = []
    for seed in range(4):
        people = chained_labels(500, seed)
        repeated = people.take(np.repeat(np.arange(250), 12))
        train = Table(repeated.schema, repeated.frame, np.repeat(np.arange(250), 12))
        logs.append(
            gained(train, people.take(np.arange(250, 500)), shuffled(chained_labels(12_000, seed + 50), seed), seed)
        )
    assert abs(np.mean(logs)) < 0.4


def test_a_row_drawn_again_and_again_is_seen_and_the_others_are_weighed_alike() -> None:
    train, honest = adult_like(2_000, 1).modelled(), adult_like(4_000, 9).modelled()
    pool = Table(train.schema, pd.concat([honest.frame, honest.frame.iloc[[0] * 2_000]], ignore_index=True))
    found = density_ratios(pool, train, rng=np.random.default_rng(0))
    assert found[4_000:].mean() < 0.2 * found[1:4_000].mean()
    parts = row_hashes(honest)[1:] % np.uint64(3)
    means = [found[1:4_000][parts == one].mean() for one in range(3)]
    assert max(means) < 1.25 * min(means)


def test_threads_change_nothing() -> None:
    train, pool = adult_like(800, 1).modelled(), adult_like(1_600, 2).modelled()
    one, two = (density_ratios(pool, train, rng=np.random.default_rng(0), threads=threads) for threads in (1, 2))
    assert (one == two).all()


def test_too_few_rows_say_nothing() -> None:
    found = density_ratios(continuous(500, 2, 1), continuous(FEWEST_ROWS - 1, 2, 2), rng=np.random.default_rng(0))
    assert (found == 1).all()
