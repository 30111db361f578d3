"""Hold what is done above the size limits to what is done below them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.large import batch
from synth_worker.encoding.determined import source_of
from synth_worker.generators import cart_column
from synth_worker.generators.cart_leaf import choose
from synth_worker.generators.registry import build
from synth_worker.metrics import association, neighbours
from synth_worker.metrics.association import Design, Layout
from synth_worker.metrics.attack_space import Points, Space
from synth_worker.metrics.neighbours import credit, nearest, nearest_index
from synth_worker.reading import read_table
from synth_worker.table import Table

ROWS = 1_500


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(batch(0, ROWS, seed=3)).modelled().narrowed()


@pytest.fixture(scope="module")
def points(table: Table) -> Points:
    return Space.fit([table]).encode(table)


def test_the_gram_matrix_in_blocks_is_that_of_all_rows(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.of(table)
    whole = Design.of(layout, table)
    assert whole.matrix is not None
    monkeypatch.setattr(association, "BLOCK", 400)
    blocks = Design.of(layout, table, block=ROWS - 1)
    assert blocks.matrix is None
    some = np.random.default_rng(0).choice(ROWS, 700, replace=False)
    np.testing.assert_allclose(blocks.gram(), whole.gram(), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(blocks.gram(some), whole.gram(some), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk", [40, 500, ROWS - 1])
def test_neighbours_by_turns_are_those_of_one_product(points: Points, chunk: int, threads: int) -> None:
    queries = points[:90] * np.float32(0.999)
    for count in (1, 5):
        found = nearest(queries, points, count=count, threads=threads, chunk=chunk)
        np.testing.assert_allclose(found, nearest(queries, points, count=count), atol=1e-4)
    own = nearest(points[:300], points[:300], count=5, leave_one_out=True, threads=threads, chunk=min(chunk, 100))
    np.testing.assert_allclose(own, nearest(points[:300], points[:300], count=5, leave_one_out=True), atol=1e-4)
    np.testing.assert_array_equal(
        nearest_index(queries, points, threads=threads, chunk=chunk), nearest_index(queries, points)
    )
    doubled = np.concatenate([points, points[:200]])
    shares = credit(queries, doubled, threads=threads, chunk=chunk)
    np.testing.assert_allclose(shares, credit(queries, doubled), atol=1e-9)
    assert shares.sum() == pytest.approx(len(queries))


def test_turns_need_not_depend_on_how_sparse_a_coordinate_is(points: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nearest(points[:50], points, count=3)
    for share in (0.0, 0.5, 1.1):
        monkeypatch.setattr(neighbours, "SPARSE", share)
        np.testing.assert_allclose(nearest(points[:50], points, count=3, chunk=333), plain, atol=1e-4)


def test_a_tree_shaped_by_some_rows_draws_from_all(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(table.rows)
    wide = np.stack([table.numbers("age"), table.numbers("height")], axis=1).astype(np.float32)
    goal = table.codes("outcome") + 1
    seen = cart_column.Seen(
        codec=None, values=goal.astype(float), levels=goal, width=3, goal=goal, rough=goal.astype(float), distinct=2
    )
    (tree,) = cart_column._trees(wide, seen, smallest=20, bags=1, rng=np.random.default_rng(0), shaping=ROWS - 1)
    assert sorted(tree.donors.tolist()) == rows.tolist()
    leaves = tree.sizes[tree.left == -1]
    assert leaves.min() >= 20
    assert len(leaves) > 5
    monkeypatch.setattr(cart_column, "MOST_SHAPING", ROWS - 1)
    made = build("cart", {}).fit(table, rng=np.random.default_rng(0)).sample(400, rng=np.random.default_rng(1))
    assert made.schema == table.schema
    assert made.rows == 400


def test_a_leaf_is_chosen_on_a_sample_as_on_all_rows_below_the_cap(table: Table) -> None:
    wide = table.numbers("height").astype(np.float32)[:, None]
    states = table.codes("sex") + 1
    plain, capped, small = (
        choose(wide, states, states, smallest=10, rng=np.random.default_rng(4), most=most)
        for most in (10**9, ROWS, 300)
    )
    assert plain == capped
    assert small.leaf in (10, 20, 40, 80)


def test_a_rule_that_only_late_rows_break_is_no_rule() -> None:
    source = np.arange(30_000) % 50
    target = source % 7
    assert source_of(target, [source]) == 0
    target[-1] = (target[-1] + 1) % 7
    assert source_of(target, [source]) is None
