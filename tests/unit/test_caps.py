"""Hold what is done above the size limits to what is done below them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmarks.large import batch
from synth_worker.encoding.determined import source_of
from synth_worker.generators import cart_column
from synth_worker.generators.cart_leaf import choose
from synth_worker.generators.registry import build
from synth_worker.metrics import association, cells, neighbours
from synth_worker.metrics.association import Design, Layout
from synth_worker.metrics.attack_space import CORNER, Points, Space
from synth_worker.metrics.cells import Cells
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


def _cloud(kind: str, points: Points) -> tuple[Points, Points]:
    """Return points and queries: of a mixed table, of labels alone (all distances whole), of signed numbers."""
    rng = np.random.default_rng(7)
    if kind == "mixed":
        return points, points[:300] * np.float32(0.999)
    if kind == "labels":
        corners = np.eye(4, dtype=np.float32)[rng.integers(4, size=(ROWS + 300, 6))].reshape(-1, 24) * CORNER
        return corners[300:], corners[:300]
    numbers = rng.normal(size=(ROWS + 300, 5)).astype(np.float32)
    numbers[:, 1] = np.where(numbers[:, 1] > 0, -3.0, 0.0)
    return numbers[300:], numbers[:300]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["mixed", "labels", "signed"])
def test_neighbours_in_cells_are_those_of_all_pairs(
    points: Points, kind: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "FEWEST_POINTS", 4)
    monkeypatch.setattr(cells, "POINTS_EACH", 8)
    monkeypatch.setattr(neighbours, "QUERIES", 130)
    cloud, queries = _cloud(kind, points)
    pairs = cdist(queries.astype(np.float64), cloud.astype(np.float64)) ** 2
    for count in (1, 5):
        found = nearest(queries, cloud, count=count, threads=threads, whole=100)
        np.testing.assert_allclose(found, np.sort(pairs, axis=1)[:, :count], atol=1e-4)
        np.testing.assert_allclose(found, nearest(queries, cloud, count=count), atol=1e-4)
    own = nearest(cloud[:300], cloud[:300], count=5, leave_one_out=True, threads=threads, whole=100)
    np.testing.assert_allclose(own, nearest(cloud[:300], cloud[:300], count=5, leave_one_out=True), atol=1e-4)
    index = nearest_index(queries, cloud, threads=threads, whole=100)
    np.testing.assert_allclose(pairs[np.arange(len(index)), index], pairs.min(axis=1), atol=1e-5)
    if kind != "labels":  # there many points are the nearest, save for rounding
        np.testing.assert_array_equal(index, nearest_index(queries, cloud))
    doubled = np.concatenate([cloud, cloud[:200]])
    shares = credit(queries, doubled, threads=threads, whole=100)
    np.testing.assert_allclose(shares, credit(queries, doubled), atol=1e-9)
    assert shares.sum() == pytest.approx(len(queries))


@pytest.mark.parametrize("kind", ["mixed", "labels", "signed"])
def test_no_point_of_a_cell_lies_nearer_than_its_bound(
    points: Points, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "FEWEST_POINTS", 4)
    monkeypatch.setattr(cells, "POINTS_EACH", 8)
    cloud, queries = _cloud(kind, points)
    divided = Cells.of(cloud)
    assert divided.count > 20
    np.testing.assert_array_equal(np.sort(divided.order), np.arange(len(cloud)))
    pairs = cdist(queries.astype(np.float64), cloud.astype(np.float64)) ** 2
    closest = np.stack([pairs[:, divided.inside(cell)].min(axis=1) for cell in range(divided.count)], axis=1)
    bounds = divided.bounds(queries)
    assert (bounds <= closest + 1e-5).all()
    assert (bounds > closest.min(axis=1, keepdims=True)).mean() > 0.5  # and most cells need not be entered


def test_equal_points_are_one_cell() -> None:
    equal = np.full((1_000, 3), 0.1, dtype=np.float32)
    assert Cells.of(equal).count == 1
    np.testing.assert_allclose(nearest(equal[:9], equal, count=5, whole=10), 0.0, atol=1e-6)
    np.testing.assert_allclose(credit(equal[:9], equal, whole=10), 9 / 1_000)


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
