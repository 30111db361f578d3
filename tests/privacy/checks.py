"""Check modules of differential privacy, true or mutated, quickly: each check fails on the bugs that name it."""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synth_worker.errors import BadInput, BudgetExceeded, LedgerUnusable, TrainingFailed
from synth_worker.schema import Column, Kind, Schema
from tests.tables import build, labels

World = Any
"""The modules by name: world.noise, world.accounting, ... typed loosely, as mutants are made at run time."""

GRID = [0.1, 0.3, 0.7, 1.0, 1.1, 1.7, 2.3, 3.1, 5.9, 7.7]


class Told:
    """Note what noise is asked for, and add what ``noise`` says: by default 1, 2, 3, ..."""

    private = True

    def __init__(self, noise: Callable[[int], Any] = lambda size: np.arange(1, size + 1)) -> None:
        self.noise, self.asked = noise, list[tuple[str, int, float]]()

    def discrete_gaussian(self, size: int, *, scale: float) -> Any:
        self.asked.append(("gaussian", size, scale))
        return self.noise(size)

    def discrete_laplace(self, size: int, *, scale: float) -> Any:
        self.asked.append(("laplace", size, scale))
        return self.noise(size)

    def noisy_max(self, scores: Any, *, scale: float) -> int:
        self.asked.append(("choice", len(scores), scale))
        return 0

    def randomise(self, codes: Any, *, categories: int, truth: float) -> Any:
        self.asked.append(("answers", categories, truth))
        return codes


def laws(world: World) -> None:
    """Check rates of exact laws that half the noise, or another one, would miss by many standard errors."""
    noise = world.noise.OpenDpNoise()
    gaussian = noise.discrete_gaussian(4_000, scale=0.5)
    assert abs((gaussian == 0).mean() - 0.7866) < 0.04
    assert abs((noise.discrete_laplace(3_000, scale=2.0) == 0).mean() - math.tanh(0.25)) < 0.05
    chosen = [noise.noisy_max(np.array([0.0, 2.0]), scale=2.0) for _ in range(2_000)]
    assert abs(np.mean(chosen) - 0.7311) < 0.045
    told = noise.randomise(np.ones(1_000, dtype=np.int64), categories=4, truth=0.4)
    assert abs((told == 1).mean() - 0.4) < 0.1
    assert set(told.tolist()) == {0, 1, 2, 3}


def fresh_noise(world: World) -> None:
    """Check that each cell has noise of its own, of any size."""
    noise = world.noise.OpenDpNoise()
    for draw in (noise.discrete_gaussian, noise.discrete_laplace):
        found = draw(40, scale=1e11)
        assert len(np.unique(found)) > 30


def refused_noise(world: World) -> None:
    """Check what scales are refused, and which source is private."""
    assert world.noise.OpenDpNoise().private
    assert not world.noise.ScriptedNoise().private
    for scale in (0.0, 1e300, math.inf, math.nan, -1.0):
        with refusing():
            world.noise.check_scale(scale)


def costs(world: World) -> None:
    """Check costs whose figures are exact."""
    own = world.accounting
    assert (own.pure_rho(2.0), own.exponential_rho(4.0)) == (2.0, 2.0)
    assert own.gaussian_rho(sensitivity=3.0, scale=1.5) == 2.0


def rounding(world: World) -> None:
    """Check on many figures that nothing was rounded in our favour."""
    own, mechanisms = world.accounting, world.mechanisms
    for one, two in itertools.product(GRID, GRID):
        assert Fraction(own.pure_rho(one * two)) >= Fraction(one * two) ** 2 / 2
        scale = own.gaussian_scale(sensitivity=one, rho=two)
        assert Fraction(one) ** 2 / (2 * Fraction(scale) ** 2) <= Fraction(two)
        assert Fraction(own.exponential_epsilon(one * two)) ** 2 / 8 <= Fraction(one * two)
        assert Fraction(mechanisms.laplace_scale(one, epsilon=two)) * Fraction(two) >= Fraction(one)


def conversion(world: World) -> None:
    """Check the conversion against its formula on a grid of orders, and its inverse against it."""
    own = world.accounting
    orders = 1 + np.exp(np.linspace(-8, 12, 20_001))
    for rho, delta in itertools.product((1e-4, 0.02, 0.5, 6.0), (1e-9, 1e-5, 1e-2)):
        formula = orders * rho + np.log(1 / (orders * delta)) / (orders - 1) + np.log1p(-1 / orders)
        assert own.epsilon_of(rho, delta=delta) == pytest.approx(max(float(formula.min()), 0.0), rel=1e-6)
        epsilon = own.epsilon_of(rho, delta=delta)
        assert epsilon == 0 or own.rho_of(epsilon, delta=delta) <= rho * (1 + 1e-9)
    for epsilon in GRID:
        assert own.epsilon_of(own.rho_of(epsilon, delta=1e-6), delta=1e-6) <= epsilon


def scales(world: World) -> None:
    """Check which scale each mechanism asks of the noise."""
    own, noise, counts = world.mechanisms, Told(), np.array([[4, 0], [1, 9]])
    own.gaussian_counts(counts, rho=0.5, sensitivity=3.0, noise=noise)
    own.laplace_counts(counts, epsilon=0.5, sensitivity=3.0, noise=noise)
    own.noisy_max(np.array([1.0, 2.0]), epsilon=0.5, sensitivity=3.0, noise=noise)
    own.stable_histogram({"a": 1}, rho=0.5, delta=1e-6, most_rows=3, noise=noise)
    assert noise.asked == [("gaussian", 4, 3.0), ("laplace", 4, 6.0), ("choice", 2, 12.0), ("gaussian", 1, 3.0)]


def noised(world: World) -> None:
    """Check that every count is answered with the noise drawn for it."""
    own, counts = world.mechanisms, np.array([[4, 0], [0, 9]])
    expected = [[5, 2], [3, 13]]
    assert own.gaussian_counts(counts, rho=0.5, sensitivity=1.0, noise=Told()).tolist() == expected
    assert own.laplace_counts(counts, epsilon=0.5, sensitivity=1.0, noise=Told()).tolist() == expected


def truth(world: World) -> None:
    """Check with fifty digits that the truth is told at most e^epsilon times as often as any lie."""
    with localcontext() as context:
        context.prec = 50
        for epsilon, categories in itertools.product(GRID, (2, 3, 7, 100)):
            told = Decimal(world.mechanisms.truth_of(epsilon, categories=categories))
            odds = told * (categories - 1) / (1 - told)
            most = Decimal(epsilon).exp()
            assert odds <= most
            assert odds >= most * (1 - Decimal("1e-9"))


def threshold(world: World) -> None:
    """Check that what only one unit holds is named at most with probability delta, and no threshold is far too high."""
    for rho, delta, rows in itertools.product((0.05, 0.5, 4.0), (1e-9, 1e-6, 1e-3), (1, 2, 5, 40)):
        found = world.mechanisms.threshold_of(rho, delta=delta, most_rows=rows)
        assert found > rows
        assert named_chance(rows, rho=rho, limit=found) <= delta * (1 + 1e-9)
        assert found <= rows + 2 or named_chance(rows, rho=rho, limit=found - 2) > delta


def named_chance(rows: int, *, rho: float, limit: int) -> float:
    """Return the largest chance that a label is named which only one unit of so many rows holds, by summing up."""
    splits = ([rows], [1] * rows, [rows - rows // 2, *([rows // 2] if rows > 1 else [])])
    return max(sum(tail(rows / math.sqrt(2 * rho), limit - one) for one in split) for split in splits)


@cache
def tail(scale: float, least: int) -> float:
    """Return P(Z >= least) of a discrete Gaussian, least at least 0, by summing up its probabilities."""
    reach = math.ceil(max(45 * scale, least + 45))
    weights = np.exp(-(np.arange(reach + 1) ** 2) / (2 * scale**2))
    return float(weights[least:].sum() / (2 * weights.sum() - 1))


def named_labels(world: World) -> None:
    """Check that labels are named by noisy counts alone, in an order of their own, and only if they occur."""
    own = world.mechanisms
    limit = own.threshold_of(0.5, delta=1e-6, most_rows=1)
    still = Told(lambda size: np.zeros(size, dtype=np.int64))
    held = {"z": limit, "a": limit + 1, "b": limit - 1, "no": 0}
    named = own.stable_histogram(held, rho=0.5, delta=1e-6, most_rows=1, noise=still)
    assert list(named) == ["a", "z"]
    assert still.asked[0][1] == 3
    down = Told(lambda size: np.full(size, -5))
    assert own.stable_histogram(held, rho=0.5, delta=1e-6, most_rows=1, noise=down) == {}


def noisy_only(world: World) -> None:
    """Check that ranges and quantiles follow from noisy counts: the same noisy ones tell the same."""
    shown = np.array([0, 400, 300, 0, 200, 0])
    for counts in (np.zeros(6, dtype=np.int64), np.array([900, 0, 0, 0, 0, 900]), shown):
        noise = Told(lambda _size, counts=counts: shown - counts)
        assert world.mechanisms.dp_range(counts, rho=0.5, sensitivity=1.0, noise=noise) == (1, 4)
        found = world.mechanisms.dp_quantiles(counts, (0.2, 0.5, 0.95), rho=0.5, sensitivity=1.0, noise=noise)
        assert found.tolist() == [1, 2, 4]


def budget(world: World) -> None:
    """Check that costs are counted up and limits down, both parts of them."""
    own, accounting = world.budget, world.accounting
    assert own.Cost.of_rho(0.1, delta=1e-19) == own.Cost(100_000_001, 1)
    assert own.Cost.of_pure(1.0) == own.Cost(500_000_000)
    assert own.Cost(2, 3) + own.Cost(5, 7) == own.Cost(7, 10)
    assert own.Cost(2, 3).within(own.Cost(2, 3))
    assert not own.Cost(3, 3).within(own.Cost(2, 3))
    assert not own.Cost(2, 4).within(own.Cost(2, 3))
    for epsilon in GRID:
        held = own.Budget(epsilon, 1e-6, 5e-7)
        rho = accounting.rho_of(epsilon, delta=1e-6 - 5e-7)
        assert Fraction(held.limit.rho_nano, 10**9) <= Fraction(rho) < Fraction(held.limit.rho_nano + 1, 10**9)
        assert held.epsilon_spent(held.limit) == pytest.approx(epsilon, rel=1e-4)
    for units in range(1, 200):
        assert Fraction(own.Cost(units).rho) <= Fraction(units, 10**9)


def pool(world: World) -> None:
    """Check that sums are kept within the limit and within quotas."""
    cost = world.budget.Cost
    owned = world.entries.Pool(
        "ward", world.budget.Budget(1.0, 1e-6), cost(10), quotas={"ada": cost(6), "bob": cost(9)}
    )
    owned.check(cost(6), principal="ada")
    for principal, asked in (("ada", 7), ("eve", 1)):
        with refusing(BudgetExceeded):
            owned.check(cost(asked), principal=principal)
    spent = owned.charged(cost(3), principal="ada").charged(cost(2), principal="ada")
    assert spent.spent == cost(5)
    with refusing(BudgetExceeded):
        spent.check(cost(2), principal="ada")
    with refusing(BudgetExceeded):
        spent.check(cost(6), principal="bob")


def chain(world: World) -> None:
    """Check that requests differ by their data and population, and that entries stand in their order."""
    own = world.entries
    keys = {own.Request(one, "ada", "{}", two).key(b"k") for one in ("ward", "town") for two in ("d", "e")}
    assert len(keys) == 4
    assert own.mark_of(2, "{}", "0" * 64, secret=b"k") != own.mark_of(2, "{}", "1" * 64, secret=b"k")
    body = own.begin_body("x", at="now")
    with refusing(LedgerUnusable):
        own.State().follow(2, body, own.mark_of(2, body, own.NO_MARK, secret=b"k"), secret=b"k")


def ledger(world: World) -> None:
    """Check that a ledger which was set back refuses, and that nothing is free."""
    own, cost = world.ledger_file, world.budget.Cost
    asked = world.entries.Request("ward", "ada", "{}", "d")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with own.FileLedger(home, create=True) as held:
            held.open("ward", world.budget.Budget(1.0, 1e-6))
            with refusing():
                held.spend(asked, cost())
            receipt = held.spend(asked, cost(5))
            held.settle(receipt, reference="a")
            assert held.spend(asked, cost(5)).charged == cost()
            last = held.spend(asked, cost(5), again=True)
            assert last.charged == cost(5)
            assert held.pools()["ward"].spent == cost(10)
        text = json.loads((home / own.ANCHOR).read_text(encoding="utf-8"))
        assert text["sequence"] == last.sequence
        (home / own.ANCHOR).write_text(json.dumps({**text, "sequence": last.sequence + 1}), encoding="utf-8")
        with refusing(LedgerUnusable):
            own.FileLedger(home)


def cells(world: World) -> None:
    """Check that any value has its cell."""
    numbers = world.cells.Cells("x", edges=(0.0, 1.0, 2.0, 3.0))
    values = np.array([-math.inf, -1.0, 0.0, 0.5, 1.0, 2.9, 3.0, 99.0, math.inf, math.nan])
    assert numbers.codes_of_numbers(values).tolist() == [0, 0, 0, 0, 1, 2, 2, 2, 2, 3]
    named = world.cells.Cells("x", labels=("a", "b"))
    assert named.codes_of_labels(["b", "c", "a"], np.array([0, 1, 2, -1])).tolist() == [1, 2, 0, 3]


def units(world: World) -> None:
    """Check that a unit changes counts by at most what is stated, and rows of others not at all."""
    own = world.source
    who = np.array([5, 3, 5, -1, 5, 3, 8, 5, 3, 5, -1, 0, 3, 5, 8, 8])
    for key, most in itertools.product(("k", "l", "m"), (1, 2, 3)):
        kept = own.kept_rows(who, most=most, key=key)
        assert {one: int(kept[who == one].sum()) for one in (-1, 0, 3, 5, 8)} == {
            one: min(most, int((who == one).sum())) if one >= 0 else 0 for one in (-1, 0, 3, 5, 8)
        }
        for gone in (3, 5):
            assert np.array_equal(own.kept_rows(who[who != gone], most=most, key=key), kept[who != gone])
    assert len({own.kept_rows(who, most=1, key=key).tobytes() for key in "abcdefgh"}) > 1
    columns = {"x": Column("x", Kind.NUMERIC, dtype="float64"), "y": labels("y", ("a", "b"))}
    table = build(columns, {"x": np.arange(16.0), "y": np.arange(16) % 2}, who)
    held = own.TableSource(table, 2, "k")
    assert held.sensitivity == 2
    shown = held.counts({"x": world.cells.Cells("x", edges=(0.0, 8.0, 16.0))}, [("x",)])[0]
    assert int(shown.sum()) == 7
    assert sum(held.label_counts("y").values()) == 7
    with refusing():
        own.TableSource(table, 0)


def spending(world: World) -> None:
    """Check that a fit takes no more than it has, not by a rounding either."""
    for parts in range(2, 60):
        held = world.dp_spending.Spending(0.7)
        share = held.left / parts * (1 + 1e-12)
        for at in range(parts):
            held.take(str(at), share)
        assert 0.7 * (1 - 1e-9) <= sum(Fraction(rho) for _, rho in held.taken) <= Fraction(0.7)
        with refusing(TrainingFailed):
            held.take("more", 0.01)


def tree(world: World) -> None:
    """Check what the choice and the counts of a tree of pairs ask of the noise, and that the choice is followed."""
    table, margin, noise = np.array([[5, 1], [1, 5]]), np.array([6.0, 6.0]), Told()
    counts = {pair: table * (1 + sum(pair)) for pair in itertools.combinations(range(3), 2)}
    own = world.dp_pairs
    chosen = own.choose_tree(counts, [margin] * 3, rho=1.0, deviation=1.0, sensitivity=3, noise=noise)
    assert chosen == [(0, 1), (0, 2)]  # the noise named the first of the candidates each time
    assert noise.asked == [("choice", 3, 3.0), ("choice", 2, 3.0)]
    noise = Told()
    found = own.measure_pairs(counts, chosen, rho=1.0, sensitivity=3, noise=noise)
    assert [one[:2] for one in noise.asked] == [("gaussian", 4)] * 2
    assert all(one[2] == pytest.approx(3.0) for one in noise.asked)
    assert found[0, 1].tolist() == [[11, 4], [5, 14]]


def domain(world: World) -> None:
    """Check what unknown bounds and labels cost and follow from."""
    column = Column("x", Kind.NUMERIC, dtype="float64", nullable=True, low=0.0, high=99.0)
    schema = Schema((column, labels("y", ("a", "rare")), labels("z", ("b",))))
    magnitudes = world.cells.magnitudes("x")
    exact = np.zeros(magnitudes.size, dtype=np.int64)
    exact[5] = 900
    source = SimpleNamespace(sensitivity=3, counts=lambda _cells, _asked: [exact])
    source.label_counts = lambda name: {"a": 10**6, "rare": 1} if name == "y" else {"b": 10**6}
    shown = np.zeros(magnitudes.size, dtype=np.int64)
    shown[90] = 10**6
    noise = Told(lambda size: shown - exact if size == len(exact) else np.zeros(size, dtype=np.int64))
    told = list[tuple[float, float, int]]()
    whole = world.dp_domain.stable_histogram

    def noting(counts: Any, *, rho: float, delta: float, most_rows: int, noise: Any) -> Any:
        told.append((rho, delta, most_rows))
        return whole(counts, rho=rho, delta=delta, most_rows=most_rows, noise=noise)

    world.dp_domain.stable_histogram = noting
    held = world.dp_spending.Spending(9.0)
    found = world.dp_domain.learn_domain(source, schema, rho=1.5, delta=1e-6, spending=held, noise=noise)
    assert [rho for _, rho in held.taken] == pytest.approx([0.5, 0.5, 0.5])
    assert noise.asked[0][2] == pytest.approx(3.0)
    assert told == [(pytest.approx(0.5), 5e-7, 3)] * 2
    assert found.delta == 1e-6
    assert found.columns[1].categories == ("a",)
    assert found.columns[0].low == pytest.approx(magnitudes.edges[90])


def refusing(kind: type[Exception] = BadInput) -> Any:
    """Return a context that fails as an assertion does where nothing is refused."""
    return pytest.raises(kind)


CHECKS: dict[str, Callable[[World], None]] = {
    "laws": laws,
    "fresh_noise": fresh_noise,
    "refused_noise": refused_noise,
    "costs": costs,
    "rounding": rounding,
    "conversion": conversion,
    "scales": scales,
    "noised": noised,
    "truth": truth,
    "threshold": threshold,
    "labels": named_labels,
    "noisy_only": noisy_only,
    "budget": budget,
    "pool": pool,
    "chain": chain,
    "ledger": ledger,
    "cells": cells,
    "units": units,
    "spending": spending,
    "tree": tree,
    "domain": domain,
}
