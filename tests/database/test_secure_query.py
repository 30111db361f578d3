"""Promises of sampling a database: what is refused, what is charged, what comes back, and what is told of it."""

from __future__ import annotations

import json
import math
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from synth_worker.database.filters import Filter
from synth_worker.database.registry import open_database
from synth_worker.errors import BadInput, BudgetExceeded, LedgerUnusable, QueryFailed, QueryRefused, UnknownName
from synth_worker.privacy.accounting import epsilon_of
from synth_worker.privacy.budget import Budget, Cost, halved
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import SecureQuerySampler, create_hospital_sampler
from synth_worker.settings import Settings
from tests.database.made import BOUNDS, CATEGORIES, COLUMNS, Trail, patient_rows, put, sampler_of

TABLE = "patient_records"
PUBLIC = {"bounds": BOUNDS, "categories": CATEGORIES}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a database of 2,000 stays."""
    return put(tmp_path / "clinic", patient_rows())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home that does not exist yet."""
    return tmp_path / "home"


def spent(home: Path) -> int:
    """Return how much rho the population has spent, in units."""
    with FileLedger(home) as ledger:
        return ledger.pools()["db:clinic"].spent.rho_nano


REFUSED = {
    "no guarantee": ({}, "names no guarantee"),
    "sensitive columns and no epsilon": ({"sensitive_columns": ["age"]}, "no dp_epsilon protects them"),
    "sensitive columns and raw": (
        {"sensitive_columns": ["age"], "mode": "raw", "purpose": "triage"},
        "no dp_epsilon protects them",
    ),
    "raw, which the policy does not allow": ({"mode": "raw", "purpose": "triage"}, "does not allow real rows"),
    "raw with an epsilon": ({"mode": "raw", "dp_epsilon": 1.0}, "no epsilon protects these"),
    "epsilon 0": ({"dp_epsilon": 0}, "above 0"),
    "epsilon below 0": ({"dp_epsilon": -1.0}, "above 0"),
    "epsilon NaN": ({"dp_epsilon": math.nan}, "above 0"),
    "epsilon without end": ({"dp_epsilon": math.inf}, "above 0"),
    "epsilon true": ({"dp_epsilon": True}, "above 0"),
    "epsilon above the policy's": ({"dp_epsilon": 10.5}, "allows at most 10"),
    "local without epsilon": ({"mode": "local"}, "needs dp_epsilon"),
    "attribute without epsilon": ({"mode": "attribute"}, "needs dp_epsilon"),
    "attribute of nothing": ({"mode": "attribute", "dp_epsilon": 1.0}, "none is named"),
    "the person's key": ({"dp_epsilon": 1.0, "privacy_unit": "age"}, "cannot be released"),
    "local without public bounds": ({"mode": "local", "dp_epsilon": 1.0}, "no public bounds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_gives_too_much_away_is_refused_and_the_trail_knows(case: str, data: Path, home: Path) -> None:
    asked, words = REFUSED[case]
    trail = Trail()
    with sampler_of(data, home, audit=trail) as sampler, pytest.raises(QueryRefused, match=words):
        sampler.sample_with_metadata(QueryConfig(TABLE, COLUMNS, **asked), {})  # type: ignore[arg-type]
    assert [one["event"] for one in trail.events] == ["asked", "refused"]
    assert not (home / "answers").exists()


WRONG = {
    "an unknown mode": ({"mode": "shadow", "dp_epsilon": 1.0}, UnknownName),
    "an unknown column": ({"columns": ["age", "salary"], "dp_epsilon": 1.0}, UnknownName),
    "an unknown table": ({"table_name": "staff", "dp_epsilon": 1.0}, UnknownName),
    "an unknown sensitive column": ({"sensitive_columns": ["salary"], "dp_epsilon": 1.0}, UnknownName),
    "an unknown person": ({"privacy_unit": "salary", "dp_epsilon": 1.0}, UnknownName),
    "bounds of a column not asked for": ({"bounds": {"weight": (0, 1)}, "dp_epsilon": 1.0}, UnknownName),
    "bounds of text": ({"bounds": {"gender": (0, 1)}, "dp_epsilon": 1.0}, BadInput),
    "bounds upside down": ({"bounds": {"age": (9, 1)}, "dp_epsilon": 1.0}, BadInput),
    "categories and bounds": ({"bounds": {"age": (0, 9)}, "categories": {"age": ["1"]}, "dp_epsilon": 1.0}, BadInput),
    "no column": ({"columns": [], "dp_epsilon": 1.0}, BadInput),
    "limit 0": ({"limit": 0, "dp_epsilon": 1.0}, BadInput),
    "limit in words": ({"limit": "1; DROP TABLE x", "dp_epsilon": 1.0}, BadInput),
    "a fraction above 1": ({"sample_fraction": 1.5, "dp_epsilon": 1.0}, BadInput),
    "a fraction of nothing": ({"sample_fraction": 0.0, "dp_epsilon": 1.0}, BadInput),
    "a fraction that is none": ({"sample_fraction": math.nan, "dp_epsilon": 1.0}, BadInput),
    "many rows of nobody": ({"max_rows_per_unit": 3, "dp_epsilon": 1.0}, BadInput),
    "delta 1": ({"delta": 1.0, "dp_epsilon": 1.0}, BadInput),
    "delta in words": ({"delta": "1e-7", "dp_epsilon": 1.0}, BadInput),
    "delta NaN, which local does not use": ({"delta": math.nan, "dp_epsilon": 1.0, "mode": "local"}, BadInput),
    "an epsilon beyond floats": ({"dp_epsilon": 10**400}, QueryRefused),
    "more rows of a person than there are": (
        {"max_rows_per_unit": 10**9, "privacy_unit": "patient", "dp_epsilon": 1.0},
        BadInput,
    ),
    "a table that is no text": ({"table_name": 5, "dp_epsilon": 1.0}, BadInput),
    "a filter that is no text": ({"where_clause": 5, "dp_epsilon": 1.0}, BadInput),
    "filters in words": ({"filters": ["age > 5"], "dp_epsilon": 1.0}, BadInput),
    "bounds that are none": ({"bounds": 5, "dp_epsilon": 1.0}, BadInput),
    "fresh in words": ({"fresh": "no", "dp_epsilon": 1.0}, BadInput),
    "a principal of no letters": ({"principal": "\udc80", "dp_epsilon": 1.0}, BadInput),
    "a label that ends early": ({"categories": {"gender": ["F\x00"]}, "dp_epsilon": 1.0}, BadInput),
    "a label of half a letter": ({"categories": {"gender": ["\udc80"]}, "dp_epsilon": 1.0}, BadInput),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_before_anything_is_charged(case: str, data: Path, home: Path) -> None:
    asked, kind = WRONG[case]
    with sampler_of(data, home) as sampler, pytest.raises(kind):
        sampler.sample(QueryConfig(**{"table_name": TABLE, "columns": COLUMNS, **asked}))  # type: ignore[arg-type]
    with FileLedger(home, create=True) as ledger:
        assert "db:clinic" not in ledger.pools()


def test_a_private_table_has_the_declared_types_and_no_more_rows_than_the_limit(data: Path, home: Path) -> None:
    columns = ("age", "gender", "diagnosis", "treatment", "date", "weight")
    config = QueryConfig(TABLE, columns, limit=300, dp_epsilon=2.0, sensitive_columns=["age"])
    with sampler_of(data, home) as sampler:
        frame, told = sampler.sample_with_metadata(config, {"source": "hospital_db"})
    assert len(frame) == 300
    kinds = [str(kind) for kind in frame.dtypes]
    assert kinds == ["Int64", "str", "str", "str", "datetime64[us]", "float64"]
    assert frame["gender"].isin(["F", "M"]).mean() > 0.9
    assert frame["age"].between(-1, 300).all()
    assert told["dp_applied"] is True and told["protected_columns"] == list(columns)
    assert (told["unit"], told["neighbours"], told["epsilon"], told["delta"]) == ("row", "add/remove", 2.0, 1e-7)
    assert told["source"] == "hospital_db" and told["caller"] == {"source": "hospital_db"}
    assert told["budget"]["opened_by_this_request"] is True  # type: ignore[index]
    assert (told["budget"]["epsilon"], told["budget"]["delta"]) == (3.0, 1e-6)  # type: ignore[index]
    assert {one["bounds"] for one in told["columns"].values() if "bounds" in one} == {"estimated"}  # type: ignore[attr-defined]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_rows_are_as_many_as_the_noised_count_of_the_drawn_rows(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, ["gender"], sample_fraction=0.5, dp_epsilon=1.0, categories={"gender": ["F", "M"]})
    with sampler_of(data, home) as sampler:
        frame, told = sampler.sample_with_metadata(config)
    assert 850 < len(frame) < 1150
    assert told["sampling"] == {
        "fraction": 0.5,
        "method": "each row with this probability, by a keyed hash, after the filter",
        "amplification_claimed": False,
    }


def test_what_is_public_is_told_apart_from_what_was_estimated(data: Path, home: Path) -> None:
    with sampler_of(data, home) as sampler:
        frame, told = sampler.sample_with_metadata(QueryConfig(TABLE, COLUMNS, dp_epsilon=1.0, bounds=BOUNDS))
        public, also = sampler.sample_with_metadata(QueryConfig(TABLE, COLUMNS, dp_epsilon=0.5, **PUBLIC))  # type: ignore[arg-type]
    origins = {name: one.get("bounds") or one.get("categories") for name, one in told["columns"].items()}  # type: ignore[attr-defined]
    assert origins == {"age": "public", "gender": "estimated", "diagnosis": "estimated", "treatment": "estimated"}
    assert {one.get("bounds") or one.get("categories") for one in also["columns"].values()} == {"public"}  # type: ignore[attr-defined]
    assert told["budget"]["charged"]["delta_atto"] > 0  # type: ignore[index]
    assert also["budget"]["charged"]["delta_atto"] == 0  # type: ignore[index]
    assert set(public["diagnosis"].dropna()) <= set(CATEGORIES["diagnosis"])
    assert frame["age"].between(0, 110).all()


def test_the_same_request_costs_nothing_and_gives_the_same(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, COLUMNS, dp_epsilon=1.0)
    trail = Trail()
    with sampler_of(data, home, audit=trail) as sampler:
        first, told = sampler.sample_with_metadata(config, {"run": 1})
        once = spent(home)
        again, also = sampler.sample_with_metadata(config, {"run": 2})
    pd.testing.assert_frame_equal(first, again)
    assert (told["replayed"], also["replayed"], also["caller"]) == (False, True, {"run": 2})
    assert spent(home) == once
    assert [one["event"] for one in trail.events] == ["asked", "charged", "answered", "asked", "replayed"]
    with sampler_of(data, home) as other:
        pd.testing.assert_frame_equal(other.sample(config), first)
    assert spent(home) == once


def test_asking_again_tells_nothing_of_what_happened_to_the_rows(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, ["gender"], "patient = 8", dp_epsilon=0.5, categories=CATEGORIES_OF_GENDER)
    with sampler_of(data, home, epsilon=0.6) as sampler:
        first, told = sampler.sample_with_metadata(config)
    put(data, pd.concat([patient_rows(), patient_rows()[:1].assign(patient=8)], ignore_index=True))
    with sampler_of(data, home) as sampler:
        # The budget is spent, so that an answer of changed rows would be refused, and the refusal an exact answer.
        again, also = sampler.sample_with_metadata(config)
        pd.testing.assert_frame_equal(again, first)
        assert {**also, "replayed": False} == told
        with pytest.raises(BudgetExceeded):
            sampler.sample(replace(config, fresh=True))


def test_a_fresh_answer_and_a_lost_one_are_charged(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, ["gender"], dp_epsilon=0.5, categories=CATEGORIES_OF_GENDER)
    with sampler_of(data, home, epsilon=5.0) as sampler:
        first = sampler.sample(config)
        once = spent(home)
        put(data, patient_rows(900))
        assert len(sampler.sample(config)) == len(first)
        fresh, told = sampler.sample_with_metadata(replace(config, fresh=True))
        assert spent(home) == 2 * once and told["replayed"] is False
        assert abs(len(fresh) - 900) < 200
        pd.testing.assert_frame_equal(sampler.sample(config), fresh)
        assert spent(home) == 2 * once
        for file in (home / "answers").glob("*/answer.parquet"):
            file.unlink()
        sampler.sample(config)
    assert spent(home) == 3 * once


def test_a_name_that_is_thought_up_is_no_new_budget(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, ["gender"], dp_epsilon=0.5, categories=CATEGORIES_OF_GENDER)
    settings = Settings(home=home)
    for more in (
        {"population": "other"},
        {"population": "db:other"},
        {"credentials": {"path": str(data), "name": "x"}},
    ):
        asked = {"credentials": {"path": str(data)}, **more}
        with (
            create_hospital_sampler(db_type="duckdb", settings=settings, **asked) as sampler,  # type: ignore[arg-type]
            pytest.raises(UnknownName, match="population"),
        ):
            sampler.sample(config)
    with FileLedger(home) as ledger:
        ledger.open("other", halved(1.0, 1e-6))
    with create_hospital_sampler(
        db_type="duckdb", credentials={"path": str(data)}, population="other", settings=settings
    ) as sampler:
        assert sampler.sample_with_metadata(config)[1]["budget"]["population"] == "other"  # type: ignore[index]


def test_two_charges_draw_different_rows(data: Path, home: Path) -> None:
    # Drawn alike, the exact columns of two answers would show whose sensitive value changed in between.
    config = QueryConfig(
        TABLE, ["weight", "gender"], sample_fraction=0.5, dp_epsilon=0.5, mode="attribute",
        sensitive_columns=["gender"], categories=CATEGORIES_OF_GENDER, fresh=True,
    )  # fmt: skip
    with sampler_of(data, home, epsilon=9.0, allow_raw=True) as sampler:
        one, two = (sorted(sampler.sample(config)["weight"]) for _ in range(2))
    assert 800 < len(one) < 1200 and one != two


def test_answers_are_readable_by_their_owner_alone(data: Path, home: Path) -> None:
    with sampler_of(data, home) as sampler:
        sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=1.0))
    folder = home / "answers"
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_budget_ends(data: Path, home: Path) -> None:
    with sampler_of(data, home, epsilon=1.0) as sampler:
        sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=0.5))
        with pytest.raises(BudgetExceeded, match=r"epsilon 0\.5 would fit"):
            sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=1.0))
        sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=0.5, limit=10))


def test_of_sixteen_clients_at_once_as_many_are_answered_as_the_budget_holds(data: Path, home: Path) -> None:
    with sampler_of(data, home, epsilon=9.0) as sampler:
        sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=0.3, categories=CATEGORIES_OF_GENDER))
    with FileLedger(home, create=True) as ledger:
        each = ledger.pools()["db:clinic"].spent
        limit = ledger.pools()["db:clinic"].limit
    crowd = home.parent / "crowd"
    with FileLedger(crowd, create=True) as ledger:
        ledger.open("db:clinic", budget_of(10 * each.rho_nano + each.rho_nano // 2))
    assert limit.rho_nano > 10 * each.rho_nano
    answers: list[int] = []
    refusals: list[int] = []

    def ask(number: int) -> None:
        with sampler_of(data, crowd) as own:
            config = QueryConfig(
                TABLE, ["gender"], limit=1000 + number, dp_epsilon=0.3, categories=CATEGORIES_OF_GENDER
            )
            try:
                answers.append(len(own.sample(config)))
            except BudgetExceeded:
                refusals.append(number)

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert (len(answers), len(refusals)) == (10, 6)
    with FileLedger(crowd) as ledger:
        assert ledger.pools()["db:clinic"].spent.rho_nano == 10 * each.rho_nano


def test_raw_rows_need_policy_and_purpose_and_are_named_ever_after(data: Path, home: Path) -> None:
    config = QueryConfig(TABLE, ["patient", "age", "treatment", "date"], limit=50, mode="raw", purpose="triage")
    with sampler_of(data, home, allow_raw=True) as sampler:
        with pytest.raises(QueryRefused, match="needs a purpose"):
            sampler.sample(QueryConfig(TABLE, ["age"], mode="raw", purpose=" "))
        frame, told = sampler.sample_with_metadata(config)
        pd.testing.assert_frame_equal(frame, sampler.sample(config))  # never other rows by asking again
        _, later = sampler.sample_with_metadata(QueryConfig(TABLE, ["age"], dp_epsilon=0.5))
    assert (told["guarantee"], told["contains_personal_data"], told["dp_applied"]) == ("none", True, False)
    words = "raw: exact values of patient, age, treatment, date of table patient_records, for: triage"
    assert later["earlier_unbounded_releases"] == [words, words]
    real = patient_rows()
    first = list(real["patient"][:50])
    assert list(frame["patient"]) != first  # not the physical order
    merged = frame.assign(date=frame["date"].dt.date).merge(
        real.astype({"patient": "Int64", "age": "Int64"}), on=["patient", "age", "date"]
    )
    assert len(merged) >= 50
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "Int64", "str", "datetime64[us]"]


def test_local_and_attribute_answers_say_what_they_disclose(data: Path, home: Path) -> None:
    with sampler_of(data, home, epsilon=200.0, allow_raw=True) as sampler:
        local, told = sampler.sample_with_metadata(QueryConfig(TABLE, COLUMNS, dp_epsilon=8.0, mode="local", **PUBLIC))  # type: ignore[arg-type]
        some, also = sampler.sample_with_metadata(
            QueryConfig(
                TABLE,
                ["age", "gender", "weight"],
                dp_epsilon=4.0,
                mode="attribute",
                sensitive_columns=["gender"],
                categories=CATEGORIES_OF_GENDER,
            )
        )
    assert len(local) == len(some) == 2_000
    assert (told["dp_applied"], told["neighbours"], told["delta"]) == (True, "replace-one", 0.0)
    assert told["guarantee"] == "8-local differential privacy per record"
    assert told["epsilon_of_each_value"] == 2.0
    assert also["dp_applied"] == "attribute" and also["contains_personal_data"] is True
    assert also["guarantee"].endswith("not DP of the record")  # type: ignore[attr-defined]
    assert {name: one["protected"] for name, one in also["columns"].items()} == {  # type: ignore[attr-defined]
        "age": False,
        "gender": True,
        "weight": False,
    }
    real = patient_rows()
    assert sorted(some["weight"]) == sorted(real["weight"])
    assert list(some["weight"]) != list(real["weight"])
    truth = real.groupby("weight")["gender"].agg(["first", "nunique"]).query("nunique == 1")["first"]
    pairs = some[some["weight"].isin(truth.index) & some["gender"].notna()]
    same = (truth[pairs["weight"]].to_numpy() == pairs["gender"].to_numpy()).mean()
    assert 0.9 < same < 1.0  # e^4 / (e^4 + 1) of those that are not called missing: some lie


FILTERS = {
    "local, by what is private": ({"mode": "local", "where_clause": "age > 60"}, "would tell their exact values"),
    "local, by another column": ({"mode": "local", "where_clause": "date > '2023-01-01'"}, "date"),
    "attribute, by what is randomised": (
        {"mode": "attribute", "sensitive_columns": ["gender"], "where_clause": "gender = 'F'"},
        "gender",
    ),
    "attribute, by another column": (
        {"mode": "attribute", "sensitive_columns": ["gender"], "filters": [Filter("weight", ">", 80)]},
        "weight",
    ),
    "what is public and randomised": (
        {"mode": "local", "where_clause": "date > '2023-01-01'", "public_columns": ["date", "age"]},
        "cannot be public and randomised",
    ),
}


@pytest.mark.parametrize("case", FILTERS)
def test_randomised_rows_are_filtered_by_what_is_public_only(case: str, data: Path, home: Path) -> None:
    asked, words = FILTERS[case]
    with (
        sampler_of(data, home, public=(f"{TABLE}.date", f"{TABLE}.age")) as sampler,
        pytest.raises(QueryRefused, match=words),
    ):
        sampler.sample(QueryConfig(TABLE, ("age", "gender"), dp_epsilon=0.5, bounds=BOUNDS, **asked))  # type: ignore[arg-type]


CLAIMS = {
    "a count by a private value": {"mode": "local", "where_clause": "diagnosis = 'E11' AND patient = 7"},
    "the same beside exact columns": {"mode": "attribute", "sensitive_columns": ["gender"], "where_clause": "age = 7"},
}


@pytest.mark.parametrize("case", CLAIMS)
def test_who_asks_cannot_call_a_column_public(case: str, data: Path, home: Path) -> None:
    claimed = {"public_columns": ["diagnosis", "patient", "age"], "categories": CATEGORIES_OF_GENDER}
    config = QueryConfig(TABLE, ["gender"], dp_epsilon=0.5, **claimed, **CLAIMS[case])  # type: ignore[arg-type]
    for public in ((), (f"{TABLE}.diagnosis",), ("other.patient", "other.diagnosis", "other.age", "patient")):
        with sampler_of(data, home, public=public) as sampler, pytest.raises(QueryRefused, match="has not called"):
            sampler.sample(config)


def test_real_values_beside_randomised_ones_need_the_policy_like_real_rows(data: Path, home: Path) -> None:
    config = QueryConfig(
        TABLE, ["patient", "diagnosis", "gender"], dp_epsilon=0.5, mode="attribute",
        sensitive_columns=["gender"], categories=CATEGORIES_OF_GENDER,
    )  # fmt: skip
    with sampler_of(data, home) as sampler, pytest.raises(QueryRefused, match="real values of patient, diagnosis"):
        sampler.sample(config)
    assert not (home / "answers").exists()
    with sampler_of(data, home, public=(f"{TABLE}.patient", f"{TABLE}.diagnosis")) as sampler:
        assert len(sampler.sample(config)) == 2_000


def test_a_filter_leaves_what_it_says(data: Path, home: Path) -> None:
    rows = patient_rows()
    recent = pd.to_datetime(rows["date"]) >= "2023-07-01"
    with sampler_of(data, home, epsilon=300.0, public=(f"{TABLE}.date", f"{TABLE}.age")) as sampler:
        local = sampler.sample(
            QueryConfig(
                TABLE,
                ["gender"],
                "date >= '2023-07-01'",
                dp_epsilon=4.0,
                mode="local",
                categories=CATEGORIES_OF_GENDER,
                public_columns=["date"],
            )
        )
        old = sampler.sample(
            QueryConfig(TABLE, ["age"], filters=[Filter("age", ">=", 60)], dp_epsilon=4.0, bounds=BOUNDS)
        )
        exact = sampler.sample(
            QueryConfig(
                TABLE,
                ["age", "gender"],
                "age >= 60",
                dp_epsilon=4.0,
                mode="attribute",
                sensitive_columns=["gender"],
                categories=CATEGORIES_OF_GENDER,
            )
        )
    assert len(local) == recent.sum()
    assert abs(len(old) - (rows["age"] >= 60).sum()) < 40
    assert (old["age"] >= 59).mean() > 0.95
    assert len(exact) == (rows["age"] >= 60).sum() and exact["age"].min() == 60


def test_one_filter_in_two_spellings_is_one_request(data: Path, home: Path) -> None:
    first = QueryConfig(TABLE, ["gender"], "age>=60 AND (gender = 'F')", dp_epsilon=0.5)
    second = QueryConfig(TABLE, ["gender"], "AGE >= 60 and \"gender\"='F'", dp_epsilon=0.5, purpose="another")
    with sampler_of(data, home) as sampler:
        sampler.sample(first)
        assert sampler.sample_with_metadata(second)[1]["replayed"] is True


def test_a_principal_has_no_more_than_a_quota(data: Path, home: Path) -> None:
    budget = halved(3.0, 1e-6)
    with FileLedger(home, create=True) as ledger:
        ledger.open("db:clinic", budget, quotas={"ada": Cost(budget.limit.rho_nano // 5, budget.limit.delta_atto)})
    config = QueryConfig(TABLE, ["gender"], dp_epsilon=1.0, principal="ada")
    with sampler_of(data, home) as sampler:
        sampler.sample(config)
        with pytest.raises(BudgetExceeded, match="quota of 'ada'"):
            sampler.sample(replace(config, dp_epsilon=1.1))
        with pytest.raises(BudgetExceeded, match="'eve' has no quota"):
            sampler.sample(replace(config, principal="eve"))


class Full:
    """Be a trail whose disk is full after so many events."""

    def __init__(self, room: int) -> None:
        self.room = room

    def record(self, event: object) -> None:
        """Keep an event, or fail."""
        self.room -= 1
        if self.room < 0:
            raise LedgerUnusable("the disk is full")


@pytest.mark.parametrize("room", [0, 1, 2])
def test_where_the_trail_cannot_be_written_nothing_comes_back(room: int, data: Path, home: Path) -> None:
    with sampler_of(data, home, audit=Full(room)) as sampler, pytest.raises(LedgerUnusable):
        sampler.sample(QueryConfig(TABLE, ["gender"], dp_epsilon=0.5))
    with FileLedger(home, create=True) as ledger:
        assert ("db:clinic" in ledger.pools()) == (room > 0)


class Broken:
    """Be a snapshot whose server goes away when it is asked, and look whether the charge is on the disk by then."""

    def __init__(self, home: Path) -> None:
        self.home, self.spent = home, 0

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *_error: object) -> None:
        """Do nothing."""

    def rows(self, _statement: object) -> list[tuple[object, ...]]:
        """Fail."""
        self.spent = spent(self.home)
        raise QueryFailed("the database could not answer the query")

    arrow = rows


@pytest.mark.parametrize("mode", ["synthesis", "local"])
def test_the_charge_is_on_the_disk_before_a_row_is_counted_and_stays(mode: str, data: Path, home: Path) -> None:
    trail = Trail()
    config = QueryConfig(TABLE, ["gender"], dp_epsilon=0.3, mode=mode, categories=CATEGORIES_OF_GENDER)
    database = open_database("duckdb", {"path": str(data)})
    broken = Broken(home)
    object.__setattr__(database, "snapshot", lambda: broken)
    sampler = SecureQuerySampler(database, settings=Settings(home=home), audit=trail)
    with pytest.raises(QueryFailed):
        sampler.sample(config)
    first = spent(home)
    assert broken.spent == first > 0
    assert [one["event"] for one in trail.events] == ["asked", "charged", "failed"]
    with pytest.raises(QueryFailed):
        sampler.sample(config)
    assert spent(home) == 2 * first


def test_metadata_that_is_no_json_is_refused(data: Path, home: Path) -> None:
    with sampler_of(data, home) as sampler, pytest.raises(BadInput, match="JSON"):
        sampler.sample_with_metadata(QueryConfig(TABLE, ["age"], dp_epsilon=1.0), {"when": object()})


def test_the_callers_words_do_not_replace_the_truth(data: Path, home: Path) -> None:
    with sampler_of(data, home) as sampler:
        _, told = sampler.sample_with_metadata(
            QueryConfig(TABLE, ["gender"], dp_epsilon=1.0), {"guarantee": "perfect", "epsilon": 0.0}
        )
    assert (told["epsilon"], told["caller"]) == (1.0, {"guarantee": "perfect", "epsilon": 0.0})
    assert "differential privacy of each row" in told["guarantee"]  # type: ignore[operator]


CATEGORIES_OF_GENDER = {"gender": CATEGORIES["gender"]}


def budget_of(rho_nano: int) -> Budget:
    """Return a budget whose limit is about this rho."""
    return Budget(epsilon_of(rho_nano / 1e9, delta=0.5e-6), 1e-6, 0.5e-6)
