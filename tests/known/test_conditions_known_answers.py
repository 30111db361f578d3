"""Known answers on conditions: what is drawn given a value is what the model, or the truth, shows beside that value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare, ks_2samp

from synth_worker.errors import BadInput, UnknownName
from synth_worker.generators import cart_given
from synth_worker.generators.base import Generator
from synth_worker.generators.cart_given import draw_chances
from synth_worker.generators.cart_leaf import draw
from synth_worker.generators.cart_tree import grow
from synth_worker.generators.normal import draw_in_box
from synth_worker.generators.registry import build
from synth_worker.schema import Column, Kind
from synth_worker.table import Ints, Table
from tests.tables import adult_like, labels
from tests.tables import build as make

CHANCE = 1e-4
"""A test of a true null fails so often."""

JOINT = np.array(
    [
        [[0.10, 0.02, 0.05, 0.03], [0.01, 0.09, 0.04, 0.06], [0.02, 0.02, 0.01, 0.05]],
        [[0.03, 0.01, 0.08, 0.02], [0.06, 0.01, 0.01, 0.10], [0.04, 0.07, 0.05, 0.02]],
    ]
)
"""The chance of each combination of a, b and c."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def known(rows: int, seed: int = 0) -> Table:
    cell = rng(seed).choice(JOINT.size, size=rows, p=JOINT.ravel())
    a, b, c = np.unravel_index(cell, JOINT.shape)
    columns = {"a": labels("a", ("0", "1")), "b": labels("b", ("0", "1", "2")), "c": labels("c", ("0", "1", "2", "3"))}
    return make(columns, {"a": a, "b": b, "c": c})


def fitted(train: Table, *, method: str = "cart", **knobs: object) -> Generator:
    return build(method, knobs).fit(train.narrowed(), rng=rng(1))  # type: ignore[arg-type]


def cells(table: Table, *names: str) -> Ints:
    found = np.zeros(table.rows, dtype=np.int64)
    for name in names:
        found = found * 4 + table.codes(name)
    return np.bincount(found, minlength=4 ** len(names))


@pytest.mark.parametrize("fixed", ["a", "b", "c"])
@pytest.mark.parametrize("privacy", [0.0, 0.5, 1.0])
def test_a_late_condition_shows_what_the_model_shows_beside_that_value(fixed: str, privacy: float) -> None:
    model = fitted(known(3_000), privacy=privacy)
    others = [name for name in "abc" if name != fixed]
    made = model.sample(20_000, rng=rng(2), given={fixed: "1"})
    whole = model.sample(120_000, rng=rng(3))
    beside = whole.take(np.flatnonzero(whole.codes(fixed) == 1))
    both = np.stack([cells(made, *others), cells(beside, *others)])
    assert chi2_contingency(both[:, both.sum(axis=0) > 0]).pvalue > CHANCE


def test_two_conditions_show_what_the_model_shows_beside_both() -> None:
    model = fitted(known(3_000))
    made = model.sample(20_000, rng=rng(2), given={"b": "2", "c": "3"})
    whole = model.sample(300_000, rng=rng(3))
    beside = whole.take(np.flatnonzero((whole.codes("b") == 2) & (whole.codes("c") == 3)))
    both = np.stack([cells(made, "a"), cells(beside, "a")])
    assert chi2_contingency(both[:, both.sum(axis=0) > 0]).pvalue > CHANCE


@pytest.mark.parametrize("label", [0, 1, 2, 3])
def test_a_condition_on_the_first_column_shows_the_true_conditional(label: int) -> None:
    train = known(60_000)
    made = fitted(train, privacy=0.0, first="c").sample(5_000, rng=rng(4), given={"c": str(label)})
    seen = np.bincount(made.codes("a") * 3 + made.codes("b"), minlength=6)
    truth = JOINT[:, :, label].ravel() / JOINT[:, :, label].sum()
    # The trees learnt the conditional from so many rows: their own error is small beside that of 5,000 draws.
    assert chisquare(seen, truth * seen.sum()).pvalue > CHANCE


def test_the_chance_of_a_value_is_how_often_it_is_drawn() -> None:
    features = rng(5).random((400, 3)).astype(np.float32)
    state = ((features[:, 0] > 0.5) * 2 + (rng(6).random(400) < features[:, 1])).astype(np.int64)
    tree = grow(features, state, donors=np.arange(400), smallest=7, seed=0)
    chances = draw_chances(tree, state == 3, backoff=6.0, least=9)
    for leaf in np.unique(tree.leaves(features))[:5]:
        drawn = state[draw(tree, np.full(40_000, leaf), backoff=6.0, least=9, rng=rng(7))] == 3
        assert abs(drawn.mean() - chances[leaf]) < 5 * np.sqrt(0.25 / 40_000)


def test_no_row_is_drawn_twice_because_few_go_with_what_is_given() -> None:
    x = rng(8).normal(size=2_000)
    y = np.round(x + 0.3 * rng(9).normal(size=2_000), 6)
    columns = {
        "x": Column("x", Kind.NUMERIC, dtype="float64"),
        "y": Column("y", Kind.NUMERIC, dtype="float64", decimals=6),
        "z": Column("z", Kind.NUMERIC, dtype="float64"),
    }
    model = fitted(make(columns, {"x": x, "y": y, "z": x + y}), first='["x", "y", "z"]')
    made = model.sample(500, rng=rng(10), given={"z": 4.0})
    assert len(np.unique(made.numbers("x"))) > 490
    assert abs(made.numbers("x").mean() - (x[np.abs(x + y - 4) < 0.5]).mean()) < 0.25


def test_what_seldom_goes_together_is_refused_with_the_number_that_can_be_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cart_given, "BATCH", 5_000)
    monkeypatch.setattr(cart_given, "MOST_DRAWN", 20_000)
    train = known(2_000)
    model = fitted(train)
    assert model.sample(50, rng=rng(1), given={"c": "3"}).rows == 50
    with pytest.raises(BadInput, match=r"about \d+ rows can be drawn, 15,000 are wanted") as caught:
        model.sample(15_000, rng=rng(1), given={"c": "3"})
    assert "fewer" in caught.value.hint


def test_what_never_goes_together_is_refused() -> None:
    train = adult_like(1_500, 2)
    with pytest.raises(BadInput, match="in 0 of"):
        fitted(train).sample(5, rng=rng(), given={"education": "grade-12", "grade": 3})
    first = fitted(train, first='["education", "grade"]')
    with pytest.raises(BadInput, match="never occurs"):
        first.sample(5, rng=rng(), given={"education": "grade-12", "grade": 3})
    assert first.sample(5, rng=rng(), given={"education": "grade-12", "grade": 12}).rows == 5


def test_columns_that_cannot_come_first_are_refused() -> None:
    with pytest.raises(UnknownName, match="nobody"):
        fitted(known(50), first="nobody")
    with pytest.raises(BadInput, match="twice"):
        fitted(known(50), first='["a", "a"]')
    with pytest.raises(BadInput, match="first"):
        fitted(known(50), first='["a"')


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([-0.8, 0.0, 0.5, 0.9, 0.99]),
    st.tuples(st.floats(-1.2, 0.3), st.floats(0.5, 3.0)),
    st.tuples(st.floats(-1.2, 0.3), st.floats(0.5, 3.0)),
    st.integers(0, 2**31),
)
def test_a_boxed_normal_is_the_normal_cut_to_the_box(
    between: float, one: tuple[float, float], two: tuple[float, float], seed: int
) -> None:
    correlation = np.array([[1.0, between, 0.4], [between, 1.0, 0.4], [0.4, 0.4, 1.0]])
    if between == -0.8:
        correlation[:2, 2] = correlation[2, :2] = 0.1
    box = {0: (one[0], sum(one)), 1: (two[0], sum(two))}
    made = draw_in_box(correlation, box, 4_000, rng(seed))
    loose = rng(seed + 1).standard_normal((400_000, 3)) @ np.linalg.cholesky(correlation).T
    inside = ((loose[:, 0] > one[0]) & (loose[:, 0] < sum(one))) & ((loose[:, 1] > two[0]) & (loose[:, 1] < sum(two)))
    truth = loose[inside][:20_000]
    if len(truth) < 200:
        return
    for values, wanted in zip((*made.T, made[:, 0] - made[:, 1]), (*truth.T, truth[:, 0] - truth[:, 1]), strict=True):
        assert ks_2samp(values, wanted).pvalue > CHANCE / 100


@pytest.mark.parametrize("label", ["no", "yes"])
def test_the_copula_shows_what_it_shows_beside_a_label(label: str) -> None:
    hidden = rng(11).normal(size=(4_000, 2)) @ np.linalg.cholesky(np.array([[1, 0.7], [0.7, 1]])).T
    columns = {"sick": labels("sick", ("no", "yes"), nullable=True), "x": Column("x", Kind.NUMERIC, dtype="float64")}
    sick = np.where(rng(12).random(4_000) < 0.1, -1, (hidden[:, 0] > 1).astype(np.int64))
    model = fitted(make(columns, {"sick": sick, "x": hidden[:, 1]}), method="gc")
    made = model.sample(10_000, rng=rng(13), given={"sick": label})
    whole = model.sample(100_000, rng=rng(14))
    beside = whole.numbers("x")[whole.codes("sick") == ("no", "yes").index(label)]
    assert ks_2samp(made.numbers("x"), beside).pvalue > CHANCE
