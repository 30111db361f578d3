"""Sequential trees: what a tree, a leaf, an order and a smoothed donor promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.encoding.determined import source_of
from synth_worker.encoding.labels import fit_labels
from synth_worker.encoding.numbers import fit_numbers
from synth_worker.errors import BadModel
from synth_worker.generators.cart_knobs import TABLE, strictness
from synth_worker.generators.cart_leaf import draw, mixed, sums_below
from synth_worker.generators.cart_order import drawing_order
from synth_worker.generators.cart_tree import LEAF, Tree, grow, restore_tree, stops, stump
from synth_worker.generators.registry import build
from synth_worker.schema import Column, Kind
from synth_worker.table import Table
from tests.tables import adult_like, continuous, labels, whole
from tests.tables import build as make


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(train: Table, *, rows: int, privacy: float = 0.5, **given: float | str) -> Table:
    model = build("cart", {"privacy": privacy}).fit(train.modelled().narrowed(), rng=rng(), threads=1)
    return model.sample(rows, rng=rng(1), given=given or None)


@pytest.fixture(scope="module")
def tree() -> tuple[Tree, np.ndarray, np.ndarray]:
    features = rng(1).random((300, 3)).astype(np.float32)
    target = ((features[:, 0] > 0.5) * 2 + (features[:, 1] > 0.3)).astype(np.int64)
    return grow(features, target, donors=np.arange(300), smallest=10, seed=0), features, target


def test_every_node_holds_the_rows_that_fall_below_it(tree: tuple[Tree, np.ndarray, np.ndarray]) -> None:
    grown, features, _ = tree
    leaves = grown.leaves(features)
    parents = grown.parents()
    for node in range(len(grown.left)):
        below = []
        for row, leaf in enumerate(leaves):
            at = leaf
            while at not in (node, 0):
                at = parents[at]
            if at == node:
                below.append(row)
        assert sorted(grown.donors[grown.start[node] : grown.end[node]]) == below
    assert (grown.sizes[grown.left == LEAF] >= 10).all()


def test_honest_donors_are_other_rows_than_those_that_shaped_the_tree() -> None:
    features = rng(2).random((200, 2)).astype(np.float32)
    target = (features[:, 0] > 0.5).astype(np.int64)
    shape, fill = np.arange(100), np.arange(100, 200)
    grown = grow(features, target, donors=shape, smallest=5, seed=0, honest=fill)
    assert sorted(grown.donors) == list(fill)


def test_pruning_leaves_no_leaf_below_the_size(tree: tuple[Tree, np.ndarray, np.ndarray]) -> None:
    grown, features, _ = tree
    for smallest in (10, 40, 120, 1_000):
        kept = stops(grown, smallest=smallest)[grown.leaves(features)]
        assert np.bincount(kept)[np.unique(kept)].min() >= min(smallest, 300)


def test_donors_come_from_the_leaf_without_back_off_and_from_everywhere_with_much(
    tree: tuple[Tree, np.ndarray, np.ndarray],
) -> None:
    grown, features, _ = tree
    leaves = grown.leaves(features)
    near = draw(grown, leaves, backoff=0.0, least=1, rng=rng())
    assert (grown.leaves(features[near]) == leaves).all()
    far = draw(grown, leaves, backoff=1e9, least=1, rng=rng())
    assert (grown.leaves(features[far]) == leaves).mean() < 0.6
    small = draw(grown, leaves, backoff=0.0, least=301, rng=rng())
    assert len(np.unique(small)) > 150


def test_mixed_shares_add_up_and_equal_a_walk_up_the_tree(tree: tuple[Tree, np.ndarray, np.ndarray]) -> None:
    grown, _, target = tree
    counts = sums_below(grown, np.eye(4)[target[grown.donors]])
    shares = mixed(grown, counts, backoff=7.0)
    assert np.allclose(shares.sum(axis=1), 1)
    parents = grown.parents()

    def walk(node: int) -> np.ndarray:
        size = counts[node].sum()
        if node == 0:
            return (counts[0] + 0.5 / 4) / (size + 0.5)
        return (counts[node] + 7.0 * walk(int(parents[node]))) / (size + 7.0)

    for node in range(len(grown.left)):
        assert np.allclose(shares[node], walk(node))


@pytest.mark.parametrize("field", ["left", "feature", "start", "donors"])
def test_a_tree_that_points_nowhere_is_refused(tree: tuple[Tree, np.ndarray, np.ndarray], field: str) -> None:
    grown, _, _ = tree
    arrays = grown.arrays("t")
    assert (restore_tree(arrays, "t", features=3, rows=300).left == grown.left).all()
    broken = arrays[f"t.{field}"].copy()
    broken[0] = 0 if field == "left" else 10**6
    with pytest.raises(BadModel):
        restore_tree({**arrays, f"t.{field}": broken}, "t", features=3, rows=300)


def test_a_stump_draws_from_all_donors() -> None:
    lone = stump(np.arange(50))
    assert len(np.unique(draw(lone, np.zeros(2_000, dtype=np.int64), backoff=3.0, least=5, rng=rng()))) == 50


def test_columns_of_few_values_are_drawn_first() -> None:
    assert drawing_order([90, 2, 7, 2], numeric=[True, True, False, False]) == [3, 1, 2, 0]


def test_a_dependency_is_found_where_chance_would_have_broken_it() -> None:
    source = np.repeat(np.arange(5), 40)
    assert source_of(source % 3, [rng().integers(3, size=200), source]) == 1
    broken = source % 3
    broken[0] += 1
    assert source_of(broken, [source]) is None
    assert source_of(np.zeros(200, dtype=np.int64), [source]) is None
    rare = np.zeros(200, dtype=np.int64)
    rare[:3] = 1
    assert source_of(rare, [np.arange(200) // 3]) is None


def test_a_functional_dependency_is_never_broken() -> None:
    train = adult_like(1_500, 2)
    made = drawn(train, rows=3_000)
    assert (made.numbers("grade") == made.codes("education") + 1).mean() > 0.999


def test_dependence_is_carried_over() -> None:
    made = drawn(continuous(1_000, 6, 1), rows=2_000)
    found = np.corrcoef(made.frame.to_numpy().T)[np.triu_indices(6, 1)]
    assert abs(found.mean() - 0.5) < 0.06


def test_many_correlated_numbers_keep_their_correlation() -> None:
    made = drawn(continuous(300, 24, 1), rows=2_000)
    found = np.corrcoef(made.frame.to_numpy().T)[np.triu_indices(24, 1)]
    assert abs(found.mean() - 0.5) < 0.1


def test_rare_labels_lose_their_context() -> None:
    rows = 1_000
    codes = rng(3).integers(3, size=rows)
    codes[:4] = np.arange(3, 7)
    number = np.where(codes > 2, 90.0, np.round(rng(4).normal(size=rows) * 3))
    train = make(
        {"kind": labels("kind", [f"k{one}" for one in range(7)]), "x": whole("x")}, {"kind": codes, "x": number}
    )
    found = [drawn(train, rows=4_000).codes("kind")]
    assert 0 < np.isin(found[0], [3, 4, 5, 6]).mean() < 0.02


def test_the_privacy_knob_only_grows() -> None:
    rows = [strictness(at) for at in np.linspace(0, 1, 21)]
    for name in ("leaf_factor", "least", "spread", "backoff", "bags"):
        values = [getattr(one, name) for one in rows]
        assert values == sorted(values), name
    assert strictness(0.0).leaf_factor == TABLE[0.0][0]


def test_turned_up_the_privacy_knob_blurs_a_dependence_and_does_not_drop_it() -> None:
    rows = 2_000
    one = rng(2).integers(0, 12, rows)
    other = np.clip(one // 2 + rng(3).integers(-1, 2, rows), 0, 7)
    train = make({"a": whole("a"), "b": whole("b")}, {"a": one.astype(float), "b": other.astype(float)})
    kept: list[float] = []
    for privacy in (0.5, 0.75, 0.875):
        made = drawn(train, rows=rows, privacy=privacy)
        kept.append(float(np.corrcoef(made.numbers("a"), made.numbers("b"))[0, 1] / np.corrcoef(one, other)[0, 1]))
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 0.95
    assert kept[1] > 0.8
    assert kept[2] > 0.4


def test_given_columns_that_are_drawn_late_still_govern_the_early_ones() -> None:
    train = adult_like(3_000, 4)
    grade = np.bincount(train.codes("income")[train.numbers("age") > 50], minlength=2)
    want = grade[1] / grade.sum()
    made = drawn(train, rows=4_000, age=60)
    exact = train.codes("income")[np.abs(train.numbers("age") - 60) <= 3]
    assert abs((made.codes("income") == 1).mean() - exact.mean()) < abs(want - train.codes("income").mean()) + 0.06


def test_a_given_source_decides_what_follows_from_it() -> None:
    made = drawn(adult_like(1_500, 2), rows=200, grade=13)
    assert (made.codes("education") == 12).mean() > 0.95


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(-50, 50), st.none()), min_size=2, max_size=120),
    st.integers(0, 3),
)
def test_numbers_come_back_from_their_states_and_places(cells: list[int | None], decimals: int) -> None:
    values = np.array([np.nan if one is None else one / 10**decimals for one in cells])
    column = Column("x", Kind.NUMERIC, decimals=decimals)
    codec = fit_numbers(values, column)
    states, places = codec.states(values), codec.places(values, rng())
    found = codec.values(states, places)
    assert (np.isnan(found) == np.isnan(values)).all()
    atoms = states > 0
    assert (found[atoms] == values[atoms]).all()
    seen = found[~np.isnan(found)]
    assert (np.round(seen, decimals) == seen).all()
    if len(seen):
        assert seen.min() >= np.nanmin(values)
        assert seen.max() <= np.nanmax(values)


def test_a_spike_is_an_atom_and_a_dense_grid_is_not() -> None:
    ages = np.round(rng().normal(45, 12, 5_000))
    gain = np.where(rng(1).random(5_000) < 0.9, 0.0, np.round(rng(2).normal(5_000, 900, 5_000)))
    assert not len(fit_numbers(ages, Column("age", Kind.NUMERIC, decimals=0)).atoms)
    assert list(fit_numbers(gain, Column("gain", Kind.NUMERIC, decimals=0)).atoms) == [0.0]


def test_numbers_on_a_coarse_grid_stay_on_it() -> None:
    wages = 500.0 * rng().integers(20, 400, 600)
    column = Column("wage", Kind.NUMERIC, decimals=0)
    codec = fit_numbers(wages, column)
    found = codec.values(np.zeros(500, dtype=np.int64), rng().random(500) * codec.size)
    assert (found % 500 == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 9), min_size=1, max_size=200), st.integers(1, 8))
def test_labels_come_back_and_rare_ones_within_their_group(codes: list[int], rare: int) -> None:
    cells = np.array(codes, dtype=np.int64)
    codec = fit_labels(cells, 10, rare=rare)
    states = codec.states(cells)
    back = codec.codes(states, rng().random(len(cells)))
    assert ((back < 0) == (cells < 0)).all()
    assert (codec.states(back) == states).all()
    own = np.bincount(codec.state_of)[np.maximum(states, 0)] == 1
    assert (back[own & (cells >= 0)] == cells[own & (cells >= 0)]).all()
