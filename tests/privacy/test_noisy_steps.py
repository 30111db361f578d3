"""Promises of noisy steps: gradients as they are, cut as they must be, a network that learns where noise is small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.generators.arn_dp import ArnDp, first_net
from synth_worker.generators.dp_steps import FINE, MOST_WEIGHTS, ROUNDING, Batch, clipped_sum, known_at_random
from synth_worker.generators.order_free import OrderFree
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop_dp import check_private, methods_of
from synth_worker.privacy.noise import ScriptedNoise
from synth_worker.privacy.source import TableSource
from synth_worker.private_run import PrivateAsk
from synth_worker.schema import Schema
from tests.tables import build, labels

SIZES = (2, 3, 2)


def net_of(seed: int, *, size: float = 1.0) -> OrderFree:
    rng = np.random.default_rng(seed)
    return OrderFree(SIZES, rng.normal(scale=size, size=(11, 4)), rng.normal(scale=size, size=(5, 7)))


def batch_of(seed: int, rows: int) -> Batch:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, rows) for size in SIZES], axis=1)
    return Batch(codes, known_at_random(rows, len(SIZES), rng=rng))


def loss(net: OrderFree, batch: Batch) -> float:
    """Return the mean cross-entropy of the unknown codes of one row, written as the definition says it."""
    hidden = np.tanh(net.inputs(batch.codes, batch.known) @ net.inner)
    own = [-np.log(net.shares(hidden, at)[0, code]) for at, code in enumerate(batch.codes[0]) if not batch.known[0, at]]
    return float(np.mean(own))


def slope(net: OrderFree, batch: Batch) -> np.ndarray:
    """Return the gradient of ``loss`` by differences."""
    steps = np.eye(net.weights.size) * 1e-6
    return np.array([(loss(net.moved(one), batch) - loss(net.moved(-one), batch)) / 2e-6 for one in steps])


def test_the_sum_is_that_of_each_row_s_gradient_cut_to_the_clip() -> None:
    net, batch, clip = net_of(0), batch_of(1, 9), 0.6
    expected = np.zeros(net.weights.size)
    cut = 0
    for at in range(9):
        own = slope(net, Batch(batch.codes[at : at + 1], batch.known[at : at + 1]))
        cut += float(np.linalg.norm(own)) > clip
        expected += own * min(1.0, clip / float(np.linalg.norm(own)))
    assert 0 < cut < 9
    assert clipped_sum(net, batch, clip=clip) * FINE * clip == pytest.approx(expected, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 30),
    size=st.sampled_from([1e-3, 1.0, 30.0]),
    clip=st.sampled_from([1e-3, 0.5, 50.0]),
)
def test_one_row_moves_the_sum_by_no_more_than_the_sensitivity(seed: int, rows: int, size: float, clip: float) -> None:
    net, batch = net_of(seed, size=size), batch_of(seed + 1, rows)
    gone = np.arange(rows) != seed % rows
    with_it = clipped_sum(net, batch, clip=clip)
    without = clipped_sum(net, Batch(batch.codes[gone], batch.known[gone]), clip=clip)
    assert float(np.linalg.norm((with_it - without) * FINE)) <= ROUNDING


def test_which_columns_are_known_is_even_over_numbers_and_columns() -> None:
    known = known_at_random(6_000, 4, rng=np.random.default_rng(0))
    assert np.bincount(known.sum(axis=1), minlength=4) / 6_000 == pytest.approx([0.25] * 4, abs=0.03)
    assert known.mean(axis=0) == pytest.approx([0.375] * 4, abs=0.03)


def test_without_noise_it_learns_that_one_column_follows_from_another_and_takes_what_is_given() -> None:
    x = np.random.default_rng(0).integers(0, 3, 3_000)
    names = ("a", "b", "c")
    own = build({"x": labels("x", names), "y": labels("y", names)}, {"x": x, "y": (x + 1) % 3})
    fitted = ArnDp({"steps": 150}, noise=ScriptedNoise(0, still=True)).fit(own, rng=np.random.default_rng(0))
    made = fitted.sample(1_500, rng=np.random.default_rng(1))
    assert ((made.codes("x") + 1) % 3 == made.codes("y")).mean() > 0.95
    given_x = fitted.sample(300, rng=np.random.default_rng(1), given={"y": "a"})
    assert set(given_x.codes("y")) == {0}
    assert (given_x.codes("x") == 2).mean() > 0.9
    assert not fitted.model.private


@pytest.mark.parametrize(("columns", "width"), [(3, 24), (60, 10), (4_000, 1)])
def test_a_wide_table_gets_a_narrow_network_and_no_refusal_after_it_was_charged(columns: int, width: int) -> None:
    net = first_net(tuple(np.full(25, 40.0) for _ in range(columns)), width=24, rng=np.random.default_rng(0))
    assert net.inner.shape[1] == width
    assert net.weights.size <= MOST_WEIGHTS or width == 1


def test_it_is_made_where_it_is_asked_for_and_nowhere_else() -> None:
    assert GENERATORS["arn_dp"].experimental
    assert methods_of(PrivateAsk("mst", 1.0)) == ("mst", "aim")
    assert methods_of(PrivateAsk("arn_dp", 1.0)) == ("arn_dp", "mst", "aim")


def test_a_source_of_counts_alone_is_refused_before_anything_is_charged() -> None:
    schema = Schema((labels("x", ("a", "b")),))
    with pytest.raises(BadInput, match="counts alone"):
        check_private(PrivateAsk("arn_dp", 1.0), schema, counts_only=True)
    check_private(PrivateAsk("arn_dp", 1.0), schema)

    class Counting:
        sensitivity = 1

        def __init__(self, inner: TableSource) -> None:
            self.counts, self.label_counts = inner.counts, inner.label_counts

    own = build({"x": labels("x", ("a", "b"))}, {"x": np.arange(40) % 2})
    with pytest.raises(BadInput, match="counts alone"):
        ArnDp({}, noise=ScriptedNoise(0)).fit_source(Counting(TableSource(own)), own.schema)
