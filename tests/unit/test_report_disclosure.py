"""The public report names nobody: no small count, no extreme, no rare label, nothing that confirms a guess."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_worker.gates import SMALL_CELL
from synth_worker.report import bins, columns, disclosure
from synth_worker.report.parts import Audience, ColumnView
from synth_worker.run import DataFacts
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table, unify
from tests.report_samples import KEY, SEED, SHA256, Sample, sample
from tests.tables import build

COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=25)
LABEL = "Zyklopenkrankheit"
EXTREME = 98_765_432.0
MIDDLE = 54_321.0
ODD_DAY = pd.Timestamp("1901-07-13").timestamp()
PERSON = "PATIENT-0042-SECRET"
WORDS = "Frau Muster weint nachts"


@given(COUNTS, st.integers(1, 12))
def test_labels_that_are_not_named_are_none_or_enough(counts: list[int], most: int) -> None:
    named = disclosure.kept_labels(counts, most)
    rest = sum(counts) - sum(counts[place] for place in named)
    assert not disclosure.small(rest) or not named
    assert all(counts[place] >= SMALL_CELL for place in named)
    assert len(named) <= most


@given(COUNTS)
def test_merged_bins_cover_all_and_hold_none_or_enough(counts: list[int]) -> None:
    ranges = disclosure.merged_bins(counts)
    assert [place for start, stop in ranges for place in range(start, stop)] == list(range(len(counts)))
    held = [sum(counts[start:stop]) for start, stop in ranges]
    assert not any(disclosure.small(one) for one in held) or sum(counts) < SMALL_CELL


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_blurred_share_hides_small_groups_and_small_complements(count: int, more: int) -> None:
    total = count + more
    share = disclosure.blurred_share(count, total)
    assert (share is None) == (disclosure.small(count) or disclosure.small(more))
    assert share is None or abs(share - count / total) <= 2 * SMALL_CELL / total


def planted() -> Sample:
    """Return a run over real rows that hold a unique number, label, day, identifier and text; the copy kept them."""
    one = sample("red", rows=1_000)
    secrets = (
        Column("patient_id", Kind.IDENTIFIER),
        Column("remarks", Kind.TEXT),
    )

    def with_secrets(table: Table) -> Table:
        frame = table.frame.copy()
        labels = [*table.schema["job"].categories, LABEL]
        frame["job"] = frame["job"].cat.set_categories(labels)
        frame.loc[3, "job"] = LABEL
        frame.loc[4, "weight"] = EXTREME
        frame.loc[5, "gain"] = MIDDLE
        frame.loc[6, "joined"] = ODD_DAY
        frame["patient_id"] = [PERSON] + [f"P{row}" for row in range(1, table.rows)]
        frame["remarks"] = [WORDS] + ["none"] * (table.rows - 1)
        own = table.schema.with_column(replace(table.schema["job"], categories=tuple(labels)))
        return Table(Schema((*own.columns, *secrets)), frame)

    train = with_secrets(one.train)
    failed = replace(one.run.attempts[0], failure=f"category {LABEL!r} is not known", folder=None)
    told = replace(one.run.attempts[1], diagnosis=replace(one.run.attempts[1].diagnosis, root_cause=f"row {PERSON}"))
    assert one.run.certificate is not None
    found = {
        name: replace(score, detail={**score.detail, f"pair:job={LABEL}": 1.0}, reason=f"saw {LABEL}")
        for name, score in one.run.certificate.scores.items()
    }
    measurement = replace(one.run.certificate.measurement, scores=found)
    run = replace(
        one.run,
        attempts=[failed, told, one.run.attempts[2]],
        certificate=replace(one.run.certificate, measurement=measurement, notes=(f"note on {LABEL}",)),
        notes=(f"column remarks began with {WORDS}",),
        data=DataFacts(SHA256, train.rows, 17, "admissions.csv", (f"an odd value {EXTREME}",)),
        stopped=f"cancelled at {LABEL}",
    )
    return Sample(run, train, with_secrets(one.holdout), train, train.schema)


def test_the_public_report_holds_none_of_the_values_planted_in_the_real_table(tmp_path: Path) -> None:
    planted().write(tmp_path)
    public = unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    plain = re.sub(r"[\s\u202f,.−_']", "", public)
    for secret in (LABEL, PERSON, "Muster", "weint", "1901", "98765432", "98765", "54321", SHA256, KEY, str(SEED)):
        assert secret not in plain, secret
    internal = (tmp_path / "report.internal.html").read_text(encoding="utf-8")
    assert LABEL in internal
    assert SHA256 in internal
    assert PERSON in internal  # by way of the diagnosis alone
    assert WORDS in internal
    assert "98\u202f765\u202f432" in internal


def views_of(values: dict[str, list[float]], column: Column, audience: Audience) -> ColumnView:
    tables = [build({column.name: column}, {column.name: np.asarray(values[name])}) for name in ("train", "made")]
    train, made = unify(tables)
    return columns.view(train.schema[column.name], train=train, holdout=train, synthetic=made, audience=audience)


@pytest.mark.parametrize("kind", ["label", "number"])
@given(counts=st.lists(st.integers(0, 30), min_size=2, max_size=8), gone=st.integers(0, 8))
def test_shown_real_shares_are_multiples_of_a_blurred_unit(kind: str, counts: list[int], gone: int) -> None:
    codes = [float(place) for place, count in enumerate(counts) for _ in range(count)]
    if not codes:
        return
    if kind == "label":
        column = Column("x", Kind.CATEGORICAL, categories=tuple(f"v{place}" for place in range(len(counts))))
        values = {"train": codes + [-1.0] * gone, "made": codes}
    else:
        column = Column("x", Kind.NUMERIC, dtype="int64", decimals=0)
        values = {"train": codes + [np.nan] * gone, "made": codes}
    view = views_of(values, column, "public")
    assert (view.missing is None) == (disclosure.small(gone) or disclosure.small(len(codes)))
    if view.shares is None:
        assert view.why_not is not None
        return
    unit = [share for share in view.shares.real if share]
    assert min(unit) >= SMALL_CELL / (2 * len(codes))
    assert abs(sum(view.shares.real) - 1) < 1e-9
    for name, share in zip(view.shares.cells, view.shares.real, strict=True):
        shown = str(name.values.get("words", ""))
        if shown:
            assert counts[int(shown[1:])] >= SMALL_CELL
            assert share > 0


def test_five_rows_of_one_person_are_one_person() -> None:
    column = Column("x", Kind.CATEGORICAL, categories=("common", "rare"))
    codes = np.asarray([0] * 60 + [1] * 6)
    table = build({"x": column}, {"x": codes})
    assert _cells(table, table) == ["common", "rare"]
    persons = Table(table.schema, table.frame, np.asarray([*range(60), *[99] * 6]))
    assert _cells(persons, table) == []
    number = Column("x", Kind.NUMERIC, dtype="int64", decimals=0)
    values = np.asarray([0.0] * 60 + [1.0] * 6)
    numbers = build({"x": number}, {"x": values})
    assert len(_cells(numbers, numbers)) == 2
    assert len(_cells(Table(numbers.schema, numbers.frame, persons.units), numbers)) == 1


def _cells(train: Table, made: Table) -> list[object]:
    view = columns.view(train.schema["x"], train=train, holdout=train, synthetic=made, audience="public")
    return [] if view.shares is None else [name.values.get("words", name.key) for name in view.shares.cells]


def test_public_borders_come_from_the_synthetic_table_and_are_round() -> None:
    rng = np.random.default_rng(0)
    column = Column("x", Kind.NUMERIC, dtype="float64")
    real = [*rng.normal(50, 10, 500), 5_000.123]
    view = views_of({"train": real, "made": list(rng.normal(50, 10, 500))}, column, "public")
    assert view.shares is not None
    assert max(view.shares.edges) < 100
    assert all(edge == round(edge, 1) for edge in view.shares.edges)
    assert view.shares.cells[0].key == "cell.below"
    assert view.shares.cells[-1].key == "cell.above"
    assert view.summary == ()


def test_internal_shares_are_exact_and_their_summary_holds_the_extremes() -> None:
    column = Column("x", Kind.NUMERIC, dtype="int64", decimals=0)
    view = views_of({"train": [1.0, 1.0, 2.0, 9.0], "made": [1.0, 2.0, 2.0, 3.0]}, column, "internal")
    assert view.shares is not None
    assert view.shares.real[:2] == (0.5, 0.25)
    assert view.distance == 0.25
    assert ("summary.max", "9", "3") in [(name.key, real, made) for name, real, made in view.summary]


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=60), st.sampled_from([None, 0, 2]))
def test_bins_count_every_value_once_and_stay_few(values: list[float], decimals: int | None) -> None:
    column = Column("x", Kind.NUMERIC, dtype="float64", decimals=decimals)
    held = np.asarray(values) if decimals is None else np.round(values, decimals)
    chosen = bins.choose(column, held)
    assert chosen.count(held).sum() == len(values)
    assert list(chosen.edges) == sorted(set(chosen.edges))
    assert len(chosen.edges) <= bins.MOST_BINS + 1


@given(st.floats(0, 3e9), st.floats(60, 3e9))
def test_calendar_bins_count_every_instant_once_and_stay_few(start: float, span: float) -> None:
    held = start + span * np.linspace(0, 1, 50)
    chosen = bins.choose(Column("x", Kind.DATETIME, dtype="datetime"), held)
    assert chosen.count(held).sum() == 50
    assert list(chosen.edges) == sorted(set(chosen.edges))
    assert len(chosen.edges) <= bins.MOST_BINS + 1
    assert len(set(chosen.ticks)) == len(chosen.ticks)
