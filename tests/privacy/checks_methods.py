"""Check the private methods and their loop, true or mutated: what they ask of the noise, and what follows from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synth_worker.errors import TrainingFailed
from synth_worker.schema import Column, Kind, Schema
from tests.privacy.checks import Told, World, refusing
from tests.tables import build, labels

SENSITIVITY = 3
MOST_ROUNDS = 30


class Counts:
    """Answer the same small made counts for any cells, by ``base`` and the cell's place."""

    sensitivity = SENSITIVITY

    def __init__(self, base: int, *, steep: bool = False) -> None:
        self.base, self.steep = base, steep

    def counts(self, cells: Mapping[str, Any], cliques: Sequence[tuple[str, ...]]) -> list[Any]:
        shapes = [tuple(cells[name].size for name in clique) for clique in cliques]
        return [
            (self.base * (1 + place * self.steep) + np.arange(math.prod(shape)) % 3).reshape(shape)
            for place, shape in enumerate(shapes)
        ]


def hiding(source: Counts) -> Told:
    """Return noise that turns what this source answers into what any other such source's answers are turned into."""
    return Told(lambda size: np.where(np.arange(size) < 2, 2_000, 20) - (source.base + np.arange(size) % 3))


def margins(world: World) -> None:
    """Check what margins cost, how they are noised, and that they follow from noised counts alone."""
    columns = (
        Column("x", Kind.NUMERIC, dtype="float64", low=0.0, high=100.0, public=True),
        labels("y", ("a", "b", "c")),
    )
    found = []
    for base in (0, 5):
        source, held = Counts(base), world.dp_spending.Spending(9.0)
        noise = hiding(source)
        found.append(world.dp_margin.measure_margins(source, columns, rho=0.6, spending=held, noise=noise))
        assert sum(rho for _, rho in held.taken) <= 0.6 * (1 + 1e-9)
        assert len(held.taken) == len(noise.asked)
        for (_, rho), (kind, _, scale) in zip(held.taken, noise.asked, strict=True):
            assert kind == "gaussian"
            assert scale == pytest.approx(SENSITIVITY / math.sqrt(2 * rho), rel=1e-9)
    (first, rows), (second, others) = found
    assert rows == others
    for one, other in zip(first, second, strict=True):
        assert one.cells == other.cells
        assert np.array_equal(one.counts, other.counts)
        assert np.all(one.variances <= SENSITIVITY**2 / (2 * 0.6 / 6) * (1 + 1e-9))


def adaptive(world: World) -> None:
    """Check what rounds of ``aim`` cost, how choices and counts are noised, and that the model follows from them."""
    names = ("x", "y", "z")
    schema = Schema(tuple(labels(name, ("a", "b")) for name in names))
    coarse = {name: world.cells.Cells(name, labels=("a",)) for name in names}
    found = []
    for base in (0, 700):
        source, held = Counts(base, steep=True), world.dp_spending.Spending(1.0)
        start = SimpleNamespace(
            schema=schema,
            coarse=coarse,
            rows=3_000.0,
            sums=tuple(np.full(coarse[name].size, 3_000.0 / coarse[name].size) for name in names),
            variances=tuple(np.full(coarse[name].size, 4.0) for name in names),
        )
        noise = hiding(source)
        rounds = itertools.count()

        def watch(_progress: Any, _sample: Any, rounds: Any = rounds) -> None:
            assert next(rounds) < MOST_ROUNDS, "the budget is never used up"

        method = world.aim.Aim({"rounds": 1.0})
        tree = method._tree(start, source, held, noise=noise, watch=watch)
        found.append(tree)
        # The noise always names the first candidate, and the last is the one that the model gets most wrong.
        assert {clique for clique in tree.cliques if len(clique) > 1} == {(0, 1)}
        pair = tree.tables[tree.cliques.index((0, 1))]
        assert pair.flat[0] > 1.2 * pair.flat[-1]  # as the noised counts are
        assert sum(rho for _, rho in held.taken) <= 1.0
        assert len(held.taken) == len(noise.asked)
        for (what, rho), (kind, _, scale) in zip(held.taken, noise.asked, strict=True):
            if "choice" in what:
                assert (kind, scale) == ("choice", pytest.approx(2 * SENSITIVITY / math.sqrt(8 * rho), rel=1e-6))
            else:
                assert (kind, scale) == ("gaussian", pytest.approx(SENSITIVITY / math.sqrt(2 * rho), rel=1e-9))
    for one, other in zip(found[0].tables, found[1].tables, strict=True):
        assert np.allclose(one, other)


class Rows(Counts):
    """Answer the same few rows too: each of two columns of three codes."""

    def __init__(self, base: int, *, codes: np.ndarray) -> None:
        super().__init__(base)
        self.held = codes

    def codes(self, cells: Mapping[str, Any]) -> np.ndarray:
        assert len(cells) == 2
        return self.held

    def label_counts(self, name: str) -> Mapping[str, int]:
        raise AssertionError(f"nobody asked for the labels of {name}")


def steps(world: World) -> None:
    """Check how the gradient of a row is cut, how its sum is noised, and what all steps cost."""
    own, free = world.dp_steps, world.order_free
    rng = np.random.default_rng(0)
    net = free.OrderFree((3, 3), rng.normal(size=(9, 4)), rng.normal(size=(5, 6)))
    codes = rng.integers(0, 3, (40, 2))
    known = own.known_at_random(40, 2, rng=rng)
    whole = own.clipped_sum(net, own.Batch(codes, known), clip=0.1)
    lengths = []
    for at in range(40):
        others = np.arange(40) != at
        rest = own.clipped_sum(net, own.Batch(codes[others], known[others]), clip=0.1)
        lengths.append(float(np.linalg.norm((whole - rest) * own.FINE)))
    # In clips: none longer than one and what roundings may add, and the cut bites.
    assert max(lengths) <= own.ROUNDING
    assert max(lengths) > 0.99
    # The grid's step is that of a unit's clips, in the sum as in what is returned.
    coarse = own.clipped_sum(net, own.Batch(codes, known), clip=0.1, most_rows=7)
    assert np.abs(7 * coarse - whole).max() <= 8
    quiet = SimpleNamespace(discrete_gaussian=lambda size, *, scale: np.zeros(size, dtype=np.int64))
    told = own.noisy_sum(net, own.Batch(codes, known), clip=0.1, most_rows=7, rho=1.0, noise=quiet)
    assert np.allclose(told, whole * own.FINE * 0.1, atol=1e-8)
    names = ("x", "y")
    coarse = {name: world.cells.Cells(name, labels=("a",)) for name in names}
    start = SimpleNamespace(
        schema=Schema(tuple(labels(name, ("a", "b")) for name in names)),
        coarse=coarse,
        rows=500.0,
        sums=tuple(np.full(3, 500.0 / 3) for _ in names),
    )
    found = []
    for codes in (np.zeros((30, 2), dtype=np.int64), np.ones((60, 2), dtype=np.int64)):
        source, held = Rows(1, codes=codes), world.dp_spending.Spending(0.7)
        scales: list[float] = []

        def answer(size: int, *, scale: float, scales: list[float] = scales) -> np.ndarray:
            scales.append(scale)
            return np.arange(size, dtype=np.int64)

        told = SimpleNamespace(private=False, discrete_gaussian=answer)
        units: list[int] = []

        def summed(net: Any, *_others: Any, most_rows: int, units: list[int] = units, **_more: Any) -> np.ndarray:
            units.append(most_rows)
            return np.ones(net.weights.size, dtype=np.int64)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(own, "clipped_sum", summed)
            method = world.arn_dp.ArnDp({"steps": 5, "width": 3})
            joint = method._tree(start, source, held, noise=told, watch=lambda *_all: None)
        found.append(joint.weights)
        assert sum(rho for _, rho in held.taken) == pytest.approx(0.7)
        noised = scales[1:]  # the first numbers are seeds
        assert len(noised) == 5
        assert units == [SENSITIVITY] * 5
        assert noised == [pytest.approx(own.ROUNDING / own.FINE * math.sqrt(5 / (2 * 0.7)), rel=1e-6)] * 5
        assert own.ROUNDING > 1.04
    # Twice as many rows, with the same noised number and the same sums: the same network.
    assert np.array_equal(found[0], found[1])


def chosen(world: World) -> None:
    """Check that a choice among attempts is paid for, noised for the unit, and refused under scripted noise."""
    own, Cost = world.loop_dp, world.budget.Cost
    shares = own.divide(Cost(1_000, 90), attempts=3)
    assert shares.choice == Cost(100)
    assert list(shares.attempts) == [Cost(300, 30)] * 3
    assert own.divide(Cost(1_000, 90), attempts=1).attempts == (Cost(1_000, 90),)
    table = build({"y": labels("y", ("a", "b"))}, {"y": np.arange(40) % 2})
    source = SimpleNamespace(sensitivity=SENSITIVITY, counts=lambda cells, asked: Counts(3).counts(cells, asked))
    noise = Told()
    own.choose(source, [table, table], rows=40.0, share=Cost(8_000_000), noise=noise)
    epsilon = math.sqrt(8 * 0.008)
    assert noise.asked == [("choice", 2, pytest.approx(2 * SENSITIVITY / epsilon, rel=1e-6))]
    assert noise.asked[0][2] >= 2 * SENSITIVITY / epsilon * (1 - 1e-12)
    learnt = SimpleNamespace(rows=1, spent=(("counts", 0.2), ("pairs", 0.1)), delta=1e-7, private=True)
    own.check_learnt(learnt, Cost.of_rho(0.31, delta=1e-7))
    for wrong in (
        SimpleNamespace(rows=1, spent=(), delta=0.0, private=False),
        SimpleNamespace(rows=1, spent=(("counts", 0.2), ("pairs", 0.2)), delta=1e-7, private=True),
        SimpleNamespace(rows=1, spent=(("counts", 0.2),), delta=1e-6, private=True),
    ):
        with refusing(TrainingFailed):
            own.check_learnt(wrong, Cost.of_rho(0.31, delta=1e-7))
    for rho_nano, delta in itertools.product((10**6, 10**8, 3 * 10**9), (1e-9, 1e-6)):
        epsilon = own.epsilon_within(Cost(rho_nano), delta=delta)
        assert Cost.of_rho(world.accounting.rho_of(epsilon, delta=delta)).within(Cost(rho_nano))


CHECKS: dict[str, Callable[[World], None]] = {
    "margins": margins,
    "adaptive": adaptive,
    "steps": steps,
    "chosen": chosen,
}
