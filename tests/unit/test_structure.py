"""Promises of kept constraints: the way there and back changes nothing, and no drawn row breaks one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.constraints import Constraint, Rule
from synth_worker.crossfit import fold_job
from synth_worker.errors import BadInput, BadModel, NotFitted, UnknownName
from synth_worker.exchange import load_table, save_table
from synth_worker.fitting import fit_and_sample
from synth_worker.generators.registry import GENERATORS
from synth_worker.generators.registry import build as bare
from synth_worker.keeping import Keeping, build, load
from synth_worker.process import silent
from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.splitting import split
from synth_worker.structure.combined import Combined
from synth_worker.structure.grid import Grid, drawn_between
from synth_worker.structure.order import Order
from synth_worker.structure.plan import learn, restore
from synth_worker.table import Table
from synth_worker.violations import broken_rows, floats
from tests.constrained import ALL, COST, DATES, DRUG, PAID, PRESSURE, VISIT, WARD, stays
from tests.quick import quick
from tests.tables import build as make
from tests.tables import labels, whole

METHODS = sorted(name for name, spec in GENERATORS.items() if not spec.guarantee)
"""Those that keep constraints: see ``test_constraints_are_refused_where_a_guarantee_is_given``."""

GUARANTEED = sorted(name for name, spec in GENERATORS.items() if spec.guarantee)
SOME = st.lists(st.sampled_from(ALL), min_size=1, unique=True).map(tuple)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def broken(made: Table, real: Table) -> dict[str, int]:
    return {one.words: int(broken_rows(one, made, known=[real]).sum()) for one in real.schema.constraints}


def same(one: Table, two: Table) -> bool:
    return one.schema == two.schema and one.frame.equals(two.frame)


REAL = st.builds(
    stays,
    st.integers(60, 200),
    st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    constraints=SOME,
    gap=st.sampled_from([1, 9, 2_000]),
)


@given(REAL)
@settings(deadline=None, max_examples=60)
def test_there_and_back_is_where_it_was(table: Table) -> None:
    plan = learn(table)
    learnt = plan.forward(table)
    assert not learnt.schema.constraints
    back, sound = plan.back(learnt, rng=rng())
    assert sound.all()
    assert same(back, table)
    assert same(restore(json.loads(json.dumps(plan.state()))).back(learnt, rng=rng())[0], table)


@pytest.mark.parametrize("method", GUARANTEED)
def test_constraints_are_refused_where_a_guarantee_is_given(method: str) -> None:
    with pytest.raises(BadInput, match="keeps no constraints"):
        build(method, {}, train=stays(60, 0, missing=0.0, constraints=ALL[:1], gap=1))


@given(REAL, st.sampled_from(METHODS), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_no_drawn_row_breaks_a_constraint(real: Table, method: str, seed: int) -> None:
    made = build(method, quick(method), train=real).fit(real, rng=rng(seed)).sample(real.rows, rng=rng(seed + 1))
    assert made.rows == real.rows
    assert made.schema == real.schema
    assert set(broken(made, real).values()) == {0}
    for column in real.schema:
        assert column.nullable or not made.missing(column.name).any(), column.name
        if column.continuous and column.decimals is not None:
            values = made.numbers(column.name)
            seen = values[~np.isnan(values)]
            assert (np.round(seen, column.decimals) == seen).all(), column.name


@pytest.mark.parametrize("method", METHODS)
def test_over_drawing_and_selecting_keeps_them_too(method: str) -> None:
    real = split(stays(500), key="0" * 32, certified=False).train
    made = fit_and_sample(
        real, method=method, hyperparameters={"oversample": 3.0, **quick(method)}, rows=200, streams=Streams(0)
    )
    assert set(broken(made.synthetic, real).values()) == {0}


def test_the_folds_of_a_small_table_are_made_by_the_same_procedure(tmp_path: Path) -> None:
    real = stays(150)
    save_table(real, tmp_path / "table")
    ask = {"method": "gc", "seed": 0, "attempts": 1, "rows": real.rows, "prefer": "balanced"}
    payload = {
        "table": str(tmp_path / "table"),
        "out": str(tmp_path / "out"),
        "number": 0,
        "used": list(range(120)),
        "ask": ask,
        "profile": "standard",
        "key": "0" * 32,
        "rows_share": 0.7,
        "target": None,
        "balance": None,
    }
    assert fold_job(payload, silent)["method"] == "gc"
    made = load_table(tmp_path / "out")
    assert made.schema.constraints == real.schema.constraints
    assert set(broken(made, real).values()) == {0}


def test_a_table_without_constraints_is_learnt_as_it_is() -> None:
    real = stays(100, constraints=())
    assert not isinstance(build("gc", {}, train=real), Keeping)


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_model_draws_the_same_rows(method: str, tmp_path: Path) -> None:
    real = stays(300, missing=0.05)
    model = build(method, quick(method), train=real).fit(real, rng=rng())
    model.save(tmp_path)
    read = load(tmp_path)
    assert same(read.sample(150, rng=rng(1)), model.sample(150, rng=rng(1)))
    assert (tmp_path / "structure.json").exists()
    (tmp_path / "structure.json").write_text((tmp_path / "structure.json").read_text().replace("W1", "W9"))
    with pytest.raises(BadModel, match="checksum"):
        load(tmp_path)
    with pytest.raises(NotFitted):
        build(method, {}, train=real).sample(1, rng=rng())


def test_a_model_without_constraints_is_saved_as_it_always_was(tmp_path: Path) -> None:
    real = stays(100, constraints=())
    build("gc", {}, train=real).fit(real, rng=rng()).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.npz", "model.json"]
    assert not isinstance(load(tmp_path), Keeping)


@pytest.fixture(scope="module", params=METHODS)
def model(request: pytest.FixtureRequest) -> Keeping:
    real = stays(600)
    return Keeping(bare(str(request.param), {})).fit(real, rng=rng())


@pytest.mark.parametrize(
    "fixed",
    [
        {"admitted": "2020-01-15"},
        {"drugs": 80.5},
        {"ward": "W2"},
        {"floor": 2},
        {"disease": "I3"},
        {"disease": "I1", "grade": 2},
        {"sex": "m", "diastolic": 70},
        {"visit": 2},
    ],
    ids="-".join,
)
def test_given_columns_have_their_values_and_nothing_breaks(model: Keeping, fixed: dict[str, str | float]) -> None:
    real = stays(600)
    made = model.sample(40, rng=rng(3), given=fixed)
    assert made.rows == 40
    assert set(broken(made, real).values()) == {0}
    for name, value in fixed.items():
        own = made.frame[name]
        if name == "admitted":
            assert set(own) == {18_276 * 86_400.0}
        else:
            assert set(own) == {value}


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"cost": 100.0}, "'cost' is computed as drugs \\+ staff \\+ other .give its parts"),
        ({"discharged": "2020-01-15"}, "'discharged' is drawn as a distance from admitted, treated"),
        ({"number": 1_500}, "no two rows with the same number"),
        ({"person": 5, "visit": 1}, "no two rows with the same person, visit"),
        ({"disease": "I4", "sex": "m"}, "no real row has these values of disease, sex"),
    ],
)
def test_given_columns_that_follow_from_others_are_refused(
    model: Keeping, fixed: dict[str, str | float], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        model.sample(40, rng=rng(3), given=fixed)


def test_a_given_value_outside_the_domain_is_refused_as_ever(model: Keeping) -> None:
    with pytest.raises(UnknownName, match="'W77'"):
        model.sample(1, rng=rng(), given={"ward": "W77"})
    assert model.sample(1, rng=rng(), given={"number": 2_222}).numbers("number").tolist() == [2_222]


def test_more_rows_than_there_are_unique_values_are_refused() -> None:
    real = stays(200, constraints=(VISIT,))
    model = build("gc", {}, train=real).fit(real, rng=rng())
    with pytest.raises(BadInput, match=r"person, visit: [0-9]+ different values are known; 5,000 rows"):
        model.sample(5_000, rng=rng())


def test_rows_that_cannot_be_kept_are_refused_with_how_many_could() -> None:
    # The part is above the total in nearly all drawn rows, and neither can give way.
    values = {"a": rng(1).integers(0, 100, 300) - 200.0, "b": rng(2).integers(0, 100, 300) + 500.0}
    values |= {"t": values["a"] + values["b"], "low": values["a"]}
    table = make({name: whole(name) for name in values}, values)
    rules = (Constraint(Rule.SUM, ("t", "a", "b")), Constraint(Rule.ORDER, ("a", "t")))
    real = Table(Schema(table.schema.columns, rules), table.frame).narrowed()
    made = build("gc", {}, train=real).fit(real, rng=rng()).sample(300, rng=rng())
    assert set(broken(made, real).values()) == {0}
    impossible = Table(Schema(table.schema.columns, (Constraint(Rule.ORDER, ("b", "a")),)), table.frame).narrowed()
    with pytest.raises(BadInput, match=r"only 0 of [0-9,]+ drawn rows keep all constraints; 300 are wanted"):
        build("gc", {}, train=impossible).fit(impossible, rng=rng()).sample(300, rng=rng())


def test_a_total_of_whole_numbers_stays_whole_though_its_parts_are_halves() -> None:
    half = np.where(rng(1).random(400) < 0.5, 0.5, 0.0)
    values = {"a": rng(2).integers(0, 40, 400) + half, "b": rng(3).integers(0, 40, 400) + half}
    values["t"] = values["a"] + values["b"]
    halves = {name: Column(name, Kind.NUMERIC, dtype="float64", decimals=1) for name in ("a", "b")}
    table = make({**halves, "t": whole("t")}, values)
    real = Table(Schema(table.schema.columns, (Constraint(Rule.SUM, ("t", "a", "b")),)), table.frame).narrowed()
    for method in METHODS:
        made = build(method, quick(method), train=real).fit(real, rng=rng()).sample(400, rng=rng())
        assert set(broken(made, real).values()) == {0}
        assert (made.numbers("t") == np.round(made.numbers("t"))).all()


def test_the_column_that_gives_way_is_learnt_as_what_says_more() -> None:
    near = learn(stays(400, constraints=(DATES,), gap=5))
    assert all(isinstance(step, Order) and step.difference for step in near.steps)
    # Half a year or eight years later: a difference has as wide a range as the date itself.
    far = learn(stays(400, constraints=(Constraint(Rule.ORDER, ("admitted", "discharged")),), gap=9_000))
    assert not any(isinstance(step, Order) and step.difference for step in far.steps)
    equal = learn(stays(400, constraints=(PAID,)))
    assert [step.difference for step in equal.steps if isinstance(step, Order)] == ["cost from paid"]


@pytest.mark.parametrize("method", METHODS)
def test_equal_values_stay_as_frequent(method: str) -> None:
    real = stays(1_500, constraints=(COST, PAID, DATES, PRESSURE))
    made = build(method, quick(method), train=real).fit(real, rng=rng()).sample(1_500, rng=rng())

    def equal(table: Table, one: str, other: str) -> float:
        return float(np.mean(table.numbers(one) == table.numbers(other)))

    for pair in (("paid", "cost"), ("admitted", "treated")):
        assert abs(equal(made, *pair) - equal(real, *pair)) < 0.06, pair
    stay = [np.median(one.numbers("discharged") - one.numbers("admitted")) / 86_400 for one in (made, real)]
    assert abs(stay[0] - stay[1]) <= 1


def test_combinations_are_kept_by_their_key_jointly_or_by_mending() -> None:
    kinds = {tuple(step.columns): step for step in learn(stays(400, constraints=(WARD, DRUG))).steps}
    ward, drug = kinds["ward", "floor"], kinds["sex", "disease", "grade"]
    assert isinstance(ward, Combined)
    assert ward.key == "ward"
    assert isinstance(drug, Combined)
    assert drug.joint
    table = many()
    step = learn(table).steps[0]
    assert isinstance(step, Combined)
    assert not step.key
    assert not step.joint


def many() -> Table:
    """Make two columns of 20 labels in 120 combinations."""
    one = rng(5).integers(0, 20, 3_000)
    other = (one * 7 + rng(6).integers(0, 6, 3_000)) % 20
    columns = {name: labels(name, [f"{name}{at}" for at in range(20)]) for name in ("one", "other")}
    table = make({**columns, "x": whole("x")}, {"one": one, "other": other, "x": rng(7).integers(0, 9, 3_000)})
    return Table(Schema(table.schema.columns, (Constraint(Rule.COMBINATIONS, ("one", "other")),)), table.frame)


@pytest.mark.parametrize("method", METHODS)
def test_many_combinations_are_mended(method: str) -> None:
    real = many()
    model = build(method, quick(method), train=real).fit(real, rng=rng())
    made = model.sample(2_000, rng=rng())
    assert set(broken(made, real).values()) == {0}
    shares = [np.bincount(floats(table, "other").astype(int), minlength=20) / table.rows for table in (made, real)]
    assert np.abs(shares[0] - shares[1]).sum() / 2 < 0.1
    assert set(model.sample(50, rng=rng(), given={"other": "other3"}).frame["other"]) == {"other3"}


def test_no_real_combination_of_numbers_comes_back_more_often_than_chance() -> None:
    real = stays(1_000, constraints=(COST, PAID, PRESSURE))
    fresh = stays(1_000, 77, constraints=(COST, PAID, PRESSURE))
    names = ["drugs", "staff", "other", "cost", "paid"]
    known = {tuple(row) for row in real.frame[names].to_numpy()}
    for method in METHODS:
        made = build(method, quick(method), train=real).fit(real, rng=rng()).sample(1_000, rng=rng())
        assert not sum(tuple(row) in known for row in made.frame[names].to_numpy())
    assert not sum(tuple(row) in known for row in fresh.frame[names].to_numpy())


def test_values_drawn_between_bounds_do_not_pile_up_at_them() -> None:
    low, high = np.zeros(4_000), np.full(4_000, 10.0)
    pool = np.arange(0.0, 40.0)
    found = drawn_between(pool, low, high, rng())
    assert set(found) == set(np.arange(0.0, 11.0))
    assert np.bincount(found.astype(int)).max() < 500
    spread = Grid(2.5, 1).between(low + 0.1, high, rng())
    assert set(spread) == {2.5, 5.0, 7.5, 10.0}
    assert np.isnan(Grid(2.5, 1).between(np.array([2.6]), np.array([4.9]), rng())).all()
