"""What every generator promises, whatever its method: seeded, faithful to the schema, saved safely, conditional."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synth_worker.errors import BadInput, BadModel, Cancelled, NotFitted, UnknownName
from synth_worker.generators.base import Progress, Signal
from synth_worker.generators.registry import GENERATORS, build, load
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.closeness import dcr_share
from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.quick import quick
from tests.tables import adult_like, continuous, discrete, labels, whole
from tests.tables import build as make

METHODS = [
    pytest.param(name, marks=pytest.mark.slow) if spec.trained else name for name, spec in sorted(GENERATORS.items())
]
"""The methods; those that are trained step by step take a minute in all."""

GUARANTEED = frozenset(name for name, spec in GENERATORS.items() if spec.guarantee)
"""Methods with two exceptions, declared where they matter: two fits differ, for the noise comes from no seed; and what
a schema read off the data is not handed out, so that they learn tables whose bounds and labels are declared."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def learnable(method: str, train: Table) -> Table:
    own = train.modelled().narrowed()
    if method not in GUARANTEED:
        return own
    return Table(own.schema.having(replace(column, public=True) for column in own.schema), own.frame, own.units)


def fitted(method: str, train: Table, *, seed: int = 0, threads: int = 1):
    return build(method, quick(method)).fit(learnable(method, train), rng=rng(seed), threads=threads)


def declared(column: Column) -> bool:
    return bool(column.categories) or column.low is not None


@pytest.fixture(scope="module", params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def train(method: str) -> Table:
    return learnable(method, adult_like(1_500, 3))


@pytest.fixture(scope="module")
def model(method: str, train: Table):
    return fitted(method, train)


@pytest.fixture(scope="module")
def many(method: str, train: Table) -> Table:
    """The training table, or one of so many rows that noise does not hide what is in it."""
    return learnable(method, adult_like(6_000, 3)) if method in GUARANTEED else train


@pytest.fixture(scope="module")
def clear(method: str, model, many: Table):
    """The model, or one that learnt so many rows by so many steps that noise does not hide what it promises."""
    if method not in GUARANTEED:
        return model
    return build(method, quick(method, epsilon=100.0, steps=30, width=16)).fit(many, rng=rng(), threads=1)


def same(one: Table, two: Table) -> bool:
    return one.schema == two.schema and one.frame.equals(two.frame)


def test_same_seed_same_sample_and_another_seed_another(model, train: Table) -> None:
    assert same(model.sample(300, rng=rng(1)), model.sample(300, rng=rng(1)))
    assert not same(model.sample(300, rng=rng(1)), model.sample(300, rng=rng(2)))


def test_threads_change_nothing(method: str, train: Table) -> None:
    one, two = fitted(method, train, threads=1), fitted(method, train, threads=2)
    assert same(one.sample(400, rng=rng(1)), two.sample(400, rng=rng(1))) is (method not in GUARANTEED)


@pytest.mark.parametrize("rows", [0, 1, 7, 4_000])
def test_any_number_of_rows_in_the_schema_of_the_training_table(model, train: Table, rows: int) -> None:
    made = model.sample(rows, rng=rng())
    assert made.rows == rows
    assert made.schema == train.modelled().schema


def test_whole_numbers_ranges_and_missing_shares_are_kept(clear, many: Table) -> None:
    made = clear.sample(3_000, rng=rng())
    for column in made.schema:
        real, own = many.missing(column.name).mean(), made.missing(column.name).mean()
        assert abs(real - own) < 0.05, column.name
        if not column.continuous:
            continue
        values = made.numbers(column.name)
        seen = values[~np.isnan(values)]
        if column.decimals is not None:
            assert np.array_equal(np.round(seen, column.decimals), seen), column.name
        assert column.low is not None
        assert column.high is not None
        assert seen.min() >= column.low
        assert seen.max() <= column.high


def test_a_point_mass_keeps_its_share(clear, many: Table) -> None:
    made = clear.sample(4_000, rng=rng())
    assert abs((many.numbers("gain") == 0).mean() - (made.numbers("gain") == 0).mean()) < 0.03


def test_the_training_table_is_not_touched(method: str) -> None:
    train = adult_like(200, 1).narrowed()
    before = train.frame.copy(deep=True)
    fitted(method, train).sample(50, rng=rng())
    pd.testing.assert_frame_equal(train.frame, before)


def test_saved_and_loaded_it_draws_the_same(model, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert {one.suffix for one in tmp_path.iterdir()} <= {".json", ".npz"}
    assert same(load(tmp_path).sample(200, rng=rng(5)), model.sample(200, rng=rng(5)))


def test_a_damaged_or_foreign_model_is_refused(model, tmp_path: Path) -> None:
    with pytest.raises(BadModel):
        load(tmp_path)
    model.save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        held = path.read_bytes()
        for damage in (held[: len(held) // 2], b"", held[:-20] + b"x" * 20, b"\x80\x04\x95pickle"):
            path.write_bytes(damage)
            with pytest.raises(BadModel):
                load(tmp_path)
        path.write_bytes(held)
    load(tmp_path)
    card = tmp_path / "model.json"
    document = json.loads(card.read_text())
    document["body"]["method"] = "nobody"
    card.write_text(json.dumps(document))
    with pytest.raises(BadModel):
        load(tmp_path)


def test_unfitted_it_refuses(method: str, tmp_path: Path) -> None:
    with pytest.raises(NotFitted):
        build(method, {}).sample(1, rng=rng())
    with pytest.raises(NotFitted):
        build(method, {}).save(tmp_path)


def test_given_columns_hold_the_given_values(model, train: Table) -> None:
    made = model.sample(200, rng=rng(), given={"sex": train.schema["sex"].categories[0], "age": 40})
    assert (made.codes("sex") == 0).all()
    assert (made.numbers("age") == 40).all()
    assert made.rows == 200


def test_given_moves_what_depends_on_it(clear) -> None:
    young = clear.sample(1_500, rng=rng(), given={"age": 20})
    old = clear.sample(1_500, rng=rng(), given={"age": 60})
    place = young.schema["marital"].categories.index("single")
    assert (young.codes("marital") == place).mean() > (old.codes("marital") == place).mean() + 0.1


@pytest.mark.parametrize("given", [{"nothing": 1}, {"sex": "robot"}, {"age": "old"}, {"age": 1e9}])
def test_what_cannot_be_given_is_refused(model, given: dict[str, object]) -> None:
    with pytest.raises((UnknownName, BadInput)):
        model.sample(5, rng=rng(), given=given)


def test_unknown_hyperparameters_are_refused(method: str) -> None:
    with pytest.raises(UnknownName):
        build(method, {"magic": 1})
    with pytest.raises(UnknownName):
        build("nobody", {})


def test_watch_sees_progress_and_can_stop(method: str, train: Table) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress, _sample: object) -> Signal:
        seen.append(progress)
        return Signal.STOP

    with pytest.raises(Cancelled):
        build(method, {}).fit(train.modelled(), rng=rng(), watch=watch)
    assert seen
    assert seen[0].total >= 1


def one_column(rows: int) -> Table:
    return make({"x": whole("x")}, {"x": np.arange(rows, dtype=np.float64) % 17})


def all_missing(rows: int) -> Table:
    return make(
        {"x": whole("x", nullable=True), "y": labels("y", ("a", "b"), nullable=True), "z": labels("z", ("p", "q"))},
        {"x": np.full(rows, np.nan), "y": np.full(rows, -1), "z": np.arange(rows) % 2},
    )


def one_valued(rows: int) -> Table:
    return make(
        {"x": whole("x"), "y": labels("y", ("only",)), "z": labels("z", ("p", "q"))},
        {"x": np.full(rows, 7.0), "y": np.zeros(rows, np.int64), "z": np.arange(rows) % 2},
    )


def all_unique(rows: int) -> Table:
    names = tuple(f"n{one:04d}" for one in range(rows))
    return make(
        {"who": labels("who", names), "x": whole("x")},
        {"who": np.arange(rows), "x": np.arange(rows, dtype=np.float64)},
    )


def many_categories(rows: int) -> Table:
    levels = tuple(f"c{one:05d}" for one in range(3_000))
    codes = rng(1).zipf(1.3, rows) % 3_000
    return make({"code": labels("code", levels), "x": whole("x")}, {"code": codes, "x": np.round(codes / 10.0)})


ODD = {
    "one column": lambda: one_column(60),
    "two rows": lambda: adult_like(2, 0),
    "all missing": lambda: all_missing(80),
    "one value": lambda: one_valued(80),
    "all unique": lambda: all_unique(150),
    "3,000 categories": lambda: many_categories(4_000),
    "more columns than rows": lambda: continuous(60, 200, 0),
    "discrete": lambda: discrete(800, 0),
}


@pytest.mark.parametrize("kind", sorted(ODD))
def test_odd_tables_are_learnt(method: str, kind: str) -> None:
    # Inference over 200 columns takes aim minutes.
    narrow = method == "aim" and kind == "more columns than rows"
    train = learnable(method, continuous(15, 30, 0) if narrow else ODD[kind]())
    made = fitted(method, train).sample(120, rng=rng())
    assert made.rows == 120
    if method in GUARANTEED and not all(declared(column) for column in train.schema):
        # A column without any value has no bounds to declare: the method buys its own.
        assert [(one.name, one.kind) for one in made.schema] == [(one.name, one.kind) for one in train.schema]
        return
    assert made.schema == train.schema


def test_values_of_a_continuous_column_are_not_handed_out(method: str) -> None:
    values = rng(4).normal(size=(500, 2))
    plain = Column("", Kind.NUMERIC, dtype="float64")
    # Bounds that are declared are no values of the table.
    plain = replace(plain, public=True, low=-9.0, high=9.0) if method in GUARANTEED else plain
    columns = tuple(replace(plain, name=name) for name in ("a", "b"))
    train = Table(Schema(columns), pd.DataFrame(values, columns=["a", "b"])).narrowed()
    made = fitted(method, train).sample(500, rng=rng())
    assert np.isin(made.numbers("a"), values[:, 0]).mean() < 0.02
    assert method in GUARANTEED or made.numbers("a").max() < values[:, 0].max()


def test_the_privacy_knob_loosens_the_grip_on_single_records() -> None:
    train, fresh = adult_like(1_200, 5).modelled().narrowed(), adult_like(1_200, 6)
    shares: list[float] = []
    for privacy in (0.0, 0.5, 1.0):
        made = build("cart", {"privacy": privacy}).fit(train, rng=rng()).sample(3_000, rng=rng())
        share = dcr_share(Comparison.of(train=train, holdout=fresh, synthetic=made, streams=Streams(0))).value
        assert share is not None
        shares.append(share)
    assert shares[0] > shares[1] > shares[2] - 0.01
    assert shares[0] > shares[2] + 0.03
    assert shares[2] < 0.55
