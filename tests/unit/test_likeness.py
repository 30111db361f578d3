"""Density ratios: they find what a pool lacks, leave a faithful one alone, and do not depend on threads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synth_worker.likeness import FEWEST_ROWS, density_ratios
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table
from tests.tables import adult_like, continuous


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


def test_rows_near_to_training_rows_are_not_preferred() -> None:
    train = continuous(2_000, 4, 1)
    others = continuous(2_000, 4, 2)
    pool = Table(train.schema, pd.concat([train.frame, others.frame, continuous(4_000, 4, 3).frame], ignore_index=True))
    found = density_ratios(pool, train, rng=np.random.default_rng(0))
    assert found[:2_000].mean() / found[2_000:4_000].mean() < 1.25


def test_threads_change_nothing() -> None:
    train, pool = adult_like(800, 1).modelled(), adult_like(1_600, 2).modelled()
    one, two = (density_ratios(pool, train, rng=np.random.default_rng(0), threads=threads) for threads in (1, 2))
    assert (one == two).all()


def test_too_few_rows_say_nothing() -> None:
    found = density_ratios(continuous(500, 2, 1), continuous(FEWEST_ROWS - 1, 2, 2), rng=np.random.default_rng(0))
    assert (found == 1).all()
