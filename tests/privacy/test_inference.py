"""Inference is exact where it says so: trees of tables draw what they hold, messages are sums, mending keeps totals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadModel, TrainingFailed
from synth_worker.generators.clique_tree import CliqueTree, draw_rows
from synth_worker.generators.dp_pairs import agree, choose_tree, tree_of
from synth_worker.generators.dp_smoothing import even_out, onto_simplex, reconcile
from synth_worker.generators.dp_spending import Spending
from synth_worker.generators.junction import Estimate, Junction, Measured
from synth_worker.privacy.noise import ScriptedNoise

PAIRS = list(combinations(range(5), 2))
SIZES = (2, 3, 2, 4, 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PAIRS), unique=True, max_size=7), st.integers(0, 1_000))
def test_messages_give_the_sums_of_the_whole_product(pairs: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    potentials = {pair: rng.normal(size=[SIZES[at] for at in pair]) for pair in pairs}
    potentials |= {(at,): rng.normal(size=SIZES[at]) for at in range(5)}
    whole = np.zeros(SIZES)
    for names, table in potentials.items():
        whole = whole + table.reshape([SIZES[at] if at in names else 1 for at in range(5)])
    whole = np.exp(whole) / np.exp(whole).sum()
    junction = Junction.of(pairs, sizes=SIZES)
    beliefs = junction.beliefs(potentials)
    for clique, table in zip(junction.cliques, beliefs, strict=True):
        assert np.allclose(table, whole.sum(axis=tuple(at for at in range(5) if at not in clique)))
    for pair, table in junction.pair_tables(beliefs).items():
        assert np.allclose(table, whole.sum(axis=tuple(at for at in range(5) if at not in pair)))
    junction.tree(beliefs)


def test_descent_finds_the_tables_that_were_measured() -> None:
    rng = np.random.default_rng(0)
    whole = rng.dirichlet(np.ones(24)).reshape(2, 3, 4)
    pairs = [(0, 1), (1, 2), (0, 2)]
    exact = {pair: 1e4 * whole.sum(axis=tuple(at for at in range(3) if at not in pair)) for pair in pairs}
    measured = {pair: Measured(table, np.ones(table.shape)) for pair, table in exact.items()}
    start = Estimate(Junction.of(pairs, sizes=(2, 3, 4)), {}, 1e-8)
    found = start.fitted(measured, total=1e4, steps=600).beliefs()
    assert len(found) == 1
    for pair, table in exact.items():
        assert np.allclose(1e4 * found[0].sum(axis=tuple(at for at in range(3) if at not in pair)), table, atol=30)


def test_without_noise_the_tree_is_that_of_the_strongest_pairs_and_agrees() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 3, 4_000)
    columns = [a, (a + (rng.random(4_000) < 0.1)) % 3, rng.integers(0, 3, 4_000)]
    columns.append((columns[1] + (rng.random(4_000) < 0.1)) % 3)
    margins = [np.bincount(one, minlength=3).astype(float) for one in columns]
    counts = {}
    for one, two in combinations(range(4), 2):
        counts[(one, two)] = np.bincount(3 * columns[one] + columns[two], minlength=9).reshape(3, 3)
    noise = ScriptedNoise(still=True)
    chosen = choose_tree(counts, margins, rho=1.0, deviation=1.0, sensitivity=1, noise=noise)
    assert set(chosen[:2]) == {(0, 1), (1, 3)}
    shares, pairs = agree(
        margins, [np.ones(3)] * 4, {pair: counts[pair].astype(float) for pair in chosen}, variance=1.0
    )
    for pair, table in pairs.items():
        assert np.allclose(table, counts[pair] / 4_000, atol=1e-3)
        assert np.allclose(table.sum(axis=1), shares[pair[0]])
        assert np.allclose(table.sum(axis=0), shares[pair[1]])
    drawn = tree_of(shares, pairs).sample(4_000, rng=rng, fixed={})
    assert np.abs(np.bincount(drawn[0], minlength=3) - margins[0]).max() < 30
    given_two = tree_of(shares, pairs).sample(4_000, rng=rng, fixed={1: 2})
    assert (given_two[1] == 2).all()
    assert np.abs(np.bincount(given_two[0], minlength=3) / 4_000 - counts[(0, 1)][:, 2] / margins[1][2]).max() < 0.02


def test_drawn_shares_are_kept_to_a_row() -> None:
    shares = np.array([[0.2, 0.8], [1.0, 0.0]])
    drawn = draw_rows(shares, np.repeat([0, 1], 500), rng=np.random.default_rng(0))
    assert abs((drawn[:500] == 1).sum() - 400) <= 1
    assert (drawn[500:] == 0).all()


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.floats(1, 1e4))
def test_mending_keeps_totals(values: list[float], total: float) -> None:
    counts = np.array(values)
    nearest = onto_simplex(counts, total)
    assert nearest.min() >= 0
    assert np.isclose(nearest.sum(), total)
    evened = even_out(counts, np.ones(len(counts)), np.ones(len(counts)))
    assert np.isclose(evened.sum(), counts.sum(), atol=1e-6)
    groups = np.arange(len(counts)) // 2
    sums = np.bincount(groups, weights=counts) + 1.0
    mended, left = reconcile(counts, np.full(len(counts), 4.0), groups=groups, sums=sums, variance=1e-12)
    assert np.allclose(np.bincount(groups, weights=mended), sums, atol=1e-6)
    assert (left <= 4.0).all()


def test_no_more_is_spent_than_there_is() -> None:
    spending = Spending(1.0)
    spending.take("a", 0.7)
    with pytest.raises(TrainingFailed):
        spending.take("b", 0.4)
    spending.take("c", spending.left)


def test_tables_that_form_no_tree_are_refused() -> None:
    table = np.full((2, 2), 0.25)
    with pytest.raises(BadModel):
        CliqueTree(((0, 1), (1, 2), (0, 2)), (-1, 0, 1), (table,) * 3)
    with pytest.raises(BadModel):
        CliqueTree(((0, 1),), (-1,), (table * np.nan,))
