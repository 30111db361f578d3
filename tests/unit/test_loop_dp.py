"""Promises of the loop under a budget: divided in advance, chosen by what was paid for, no way round the guarantee."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput, TrainingFailed, UnknownName
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop_dp import (
    check_private,
    choose,
    cost_of,
    divide,
    epsilon_within,
    knobs_of,
    needs_labels,
    run_attempts,
)
from synth_worker.privacy.accounting import rho_of
from synth_worker.privacy.budget import Budget, Cost, halved
from synth_worker.privacy.noise import ScriptedNoise, opendp_noise
from synth_worker.privacy.source import TableSource
from synth_worker.private_reading import read_private
from synth_worker.private_run import PrivateAsk
from synth_worker.schema import Kind
from synth_worker.table import Table
from tests.cli.made import patients
from tests.private_tables import public_schema, spec

SCHEMA = public_schema()
ASK = PrivateAsk("mst", 1.0)


@given(st.integers(1000, 10**10), st.integers(0, 10**12), st.integers(1, 9))
def test_shares_never_exceed_what_was_charged(rho: int, delta: int, attempts: int) -> None:
    total = Cost(rho, delta)
    shares = divide(total, attempts=attempts)
    assert shares.total.within(total)
    assert len(shares.attempts) == attempts
    assert (shares.choice == Cost()) == (attempts == 1)


def test_too_little_to_divide_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be divided"):
        divide(Cost(5), attempts=3)


@settings(max_examples=12, deadline=None)
@given(st.floats(0.01, 20.0), st.integers(1, 5), st.booleans())
def test_a_method_is_told_no_more_than_its_share(epsilon: float, attempts: int, labels: bool) -> None:
    schema = SCHEMA.having(replace(one, public=one.continuous or not labels) for one in SCHEMA)
    ask = replace(ASK, epsilon=epsilon, attempts=attempts)
    assert needs_labels(schema) == labels
    cost = cost_of(ask, schema)
    assert cost.within(halved(epsilon, 1e-7).limit)
    for share in divide(cost, attempts=attempts).attempts:
        knobs = knobs_of(spec("scripted"), ask, share)
        delta = float(knobs["delta"])
        aside = delta / 2 if labels else 0.0
        spent = Cost.of_rho(rho_of(float(knobs["epsilon"]), delta=delta - aside), delta=aside)
        assert spent.within(share)
        assert share.rho_nano - spent.rho_nano <= 1 + share.rho_nano // 10**9


@settings(max_examples=20, deadline=None)
@given(st.integers(10**4, 10**10), st.floats(1e-10, 1e-3))
def test_an_epsilon_stands_for_no_more_than_its_rho(rho: int, delta: float) -> None:
    epsilon = epsilon_within(Cost(rho), delta=delta)
    assert Cost.of_rho(rho_of(epsilon, delta=delta)).within(Cost(rho))


def test_what_gives_no_guarantee_is_refused_and_nothing_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gc", "cart"):
        with pytest.raises(BadInput, match="gives no guarantee"):
            check_private(replace(ASK, method=name), SCHEMA, specs=GENERATORS)
    with pytest.raises(UnknownName):
        check_private(replace(ASK, method="auto"), SCHEMA)
    specs = {"mst": spec("mst")}
    check_private(ASK, SCHEMA, specs=specs)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "opendp" else found(name))
    with pytest.raises(BadInput, match="opendp, which is not installed"):
        check_private(ASK, SCHEMA, specs=specs)


def test_unknown_bounds_are_refused_where_only_public_ones_are_allowed() -> None:
    specs = {"mst": spec("mst")}
    for place in range(len(SCHEMA)):
        schema = SCHEMA.having(replace(one, public=at != place) for at, one in enumerate(SCHEMA))
        check_private(ASK, schema, specs=specs)
        with pytest.raises(BadInput, match="no public bounds or categories"):
            check_private(replace(ASK, bounds="public-only"), schema, specs=specs)


@pytest.mark.parametrize(
    "wrong", [{"epsilon": 0.0}, {"epsilon": math.nan}, {"delta": 0.0}, {"attempts": 0}, {"bounds": "data"}, {"rows": 1}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        replace(ASK, **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no column names the persons"):
        replace(ASK, max_rows_per_unit=2)


def hospital(rows: int = 300) -> Table:
    return read_private(patients(rows), SCHEMA)


@pytest.mark.parametrize(
    ("method", "why"),
    [(spec("mst", private=False), "noise was scripted"), (spec("mst", share=1.01), "of a share of")],
    ids=["scripted noise", "overspent"],
)
def test_a_model_that_cannot_be_released_is_not(method: object, why: str) -> None:
    shares = divide(cost_of(ASK, SCHEMA), attempts=1)
    with pytest.raises(TrainingFailed, match=why):
        run_attempts(hospital(), ASK, shares, specs={"mst": method})  # type: ignore[dict-item]


def test_a_choice_by_scripted_noise_is_not_released() -> None:
    ask = replace(ASK, attempts=2)
    shares = divide(cost_of(ask, SCHEMA), attempts=2)
    specs = {"mst": spec("mst"), "aim": spec("aim")}
    ended = run_attempts(hospital(), ask, shares, specs=specs)
    assert ended.candidate.method == ("mst", "aim")[ended.number - 1]
    with pytest.raises(TrainingFailed, match="scripted"):
        run_attempts(hospital(), ask, shares, specs=specs, noise=ScriptedNoise())


def test_one_attempt_is_released_as_it_is() -> None:
    shares = divide(cost_of(ASK, SCHEMA), attempts=1)
    ended = run_attempts(hospital(), ASK, shares, specs={"mst": spec("mst")})
    assert (ended.number, ended.candidate.method, ended.candidate.table.rows) == (1, "mst", 300)
    ended = run_attempts(hospital(), replace(ASK, rows=17), shares, specs={"mst": spec("mst")})
    assert ended.candidate.table.rows == 17


def test_the_choice_finds_the_nearer_table_and_only_by_noised_scores() -> None:
    table = hospital(2000)
    rng = np.random.default_rng(0)
    near = table.take(rng.integers(0, table.rows, 500))
    scrambled = near.frame.apply(lambda column: column.sample(frac=1, random_state=int(rng.integers(1000))).to_numpy())
    for name in scrambled:
        scrambled[name] = pd.Series(scrambled[name]).astype(near.frame[name].dtype)
    far = Table(table.schema, scrambled.reset_index(drop=True))
    source = TableSource(table)

    def found(share: Cost) -> list[int]:
        return [choose(source, [far, near], rows=2000, share=share, noise=opendp_noise()) for _ in range(40)]

    assert sum(found(Cost.of_rho(0.5))) == 40
    assert 5 < sum(found(Cost.of_rho(1e-8))) < 35  # nearly no budget, nearly a coin


def test_the_score_of_a_choice_changes_by_no_more_than_the_sensitivity() -> None:
    """Argued in ``choose``; here against the neighbours of a small table, one row removed."""
    table = hospital(40)
    made = [hospital(60).take(np.arange(20, 60)), hospital(60).take(np.arange(0, 40))]
    whole = _scores(table, made)
    for gone in range(table.rows):
        fewer = _scores(table.take(np.delete(np.arange(table.rows), gone)), made)
        assert max(abs(one - two) for one, two in zip(whole, fewer, strict=True)) <= 1 + 1e-9


def _scores(table: Table, made: list[Table]) -> list[float]:
    kept: list[list[float]] = []
    from synth_worker import loop_dp

    before = loop_dp.noisy_max
    loop_dp.noisy_max = lambda scores, **_asked: kept.append(list(scores)) or 0  # type: ignore[assignment]
    try:
        choose(TableSource(table), made, rows=40, share=Cost.of_rho(0.5), noise=opendp_noise())
    finally:
        loop_dp.noisy_max = before
    return kept[0]


def test_reading_never_refuses_a_value_and_keeps_to_what_is_public() -> None:
    frame = patients(100)
    schema = SCHEMA.having(replace(one, low=30.0, high=40.0) if one.name == "age" else one for one in SCHEMA)
    frame.loc[0, "sex"] = "X"
    frame["glucose"] = frame["glucose"].astype(object)
    frame.loc[1, "glucose"] = "much"
    table = read_private(frame, schema)
    assert (table.numbers("age").min(), table.numbers("age").max()) == (30.0, 40.0)
    assert table.codes("sex")[0] == -1
    assert np.isnan(table.numbers("glucose")[1])
    assert [table.schema[one.name].public for one in schema] == [True] * len(schema)
    private = schema.having(replace(one, public=False) for one in schema)
    assert not any(one.public for one in read_private(frame, private).schema)


def test_persons_are_numbered_and_rows_without_one_are_told_apart() -> None:
    frame = patients(6).assign(who=["a", "b", "a", None, "", "c"])
    schema = public_schema().having([*public_schema(), replace(SCHEMA["sex"], name="who", kind=Kind.IDENTIFIER)])
    table = read_private(frame, schema, unit="who")
    assert table.units is not None
    assert table.units.tolist() == [0, 1, 0, -1, -1, 2]
    assert "who" not in table.schema
    with pytest.raises(UnknownName, match="persons"):
        read_private(frame, schema, unit="nobody")


def test_the_whole_of_a_budget_can_be_asked_for_at_once() -> None:
    for epsilon in (0.5, 1.0, 2.0, 3.0, 5.0, 10.0):
        assert cost_of(replace(ASK, epsilon=epsilon), SCHEMA).within(halved(epsilon, 1e-7).limit)
        assert Budget(epsilon, 1e-7, 5e-8).limit == halved(epsilon, 1e-7).limit
