"""Columns of hospital tables are taken for what they are, and the note says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from synth_worker.reading import read_table
from synth_worker.schema import Column, Kind


def column_of(make: Callable[[int], object], folder: Path, *, name: str = "v", rows: int = 200) -> Column:
    path = folder / "t.csv"
    pd.DataFrame({name: [make(place) for place in range(rows)], "other": range(0, rows * 3, 3)}).to_csv(
        path, index=False
    )
    return read_table(path).schema[name]


CASES: dict[str, tuple[str, Callable[[int], object], Kind, str]] = {
    "age": ("age", lambda place: 20 + place % 60, Kind.NUMERIC, "int64"),
    "flag": ("dead", lambda place: place % 2, Kind.CATEGORICAL, "int64"),
    "flag with gaps": ("dead", lambda place: "" if place % 5 == 0 else place % 2, Kind.CATEGORICAL, "int64"),
    "code": ("stage", lambda place: place % 4 + 1, Kind.CATEGORICAL, "int64"),
    "icd": ("icd", lambda place: f"I{place % 10}.{place % 3}", Kind.CATEGORICAL, "string"),
    "ward": ("ward", lambda place: f"Ward {place % 5}", Kind.CATEGORICAL, "string"),
    "zip": ("zip", lambda place: f"{place % 40 + 1000:05d}", Kind.CATEGORICAL, "string"),
    "pressure": ("bp", lambda place: f"{100 + place % 60}/{60 + place % 37}", Kind.CATEGORICAL, "string"),
    "percent": ("sat", lambda place: f"{place / 2}%", Kind.CATEGORICAL, "string"),
    "time": ("at", lambda place: f"{place % 24:02d}:{place % 60:02d}", Kind.DATETIME, "datetime"),
    "day": ("day", lambda place: f"2024-{place % 12 + 1:02d}-{place % 28 + 1:02d}", Kind.DATETIME, "date"),
    "compact day": ("day", lambda place: f"2024{place % 12 + 1:02d}{place % 28 + 1:02d}", Kind.DATETIME, "date"),
    "limit": ("crp", lambda place: "<0.5" if place % 3 == 0 else place / 10, Kind.NUMERIC, "float64"),
    "stray": ("crp", lambda place: "neg" if place % 50 == 0 else place / 10, Kind.NUMERIC, "float64"),
    "truth": ("t", lambda place: ["True", "False"][place % 2], Kind.CATEGORICAL, "bool"),
    "labels that look missing": ("t", lambda place: ["None", "unknown", "yes"][place % 3], Kind.CATEGORICAL, "string"),
    "words beside numbers": ("n", lambda place: "unknown" if place % 9 == 0 else place, Kind.NUMERIC, "int64"),
    "counter": ("row", lambda place: place + 1, Kind.IDENTIFIER, "int64"),
    "mrn": ("MRN", lambda place: 10_000 + place * 17, Kind.IDENTIFIER, "int64"),
    "repeated": ("PatientID", lambda place: 10_000 + place // 2 * 17, Kind.IDENTIFIER, "int64"),
    "phone": ("phone", lambda place: f"+49{15_000_000 + place * 7919}", Kind.IDENTIFIER, "string"),
    "name": ("name", lambda place: f"Anna Haas{place}", Kind.IDENTIFIER, "string"),
    "huge": ("n", lambda place: 2**60 + place * 3, Kind.IDENTIFIER, "int64"),
    "remark": ("remark", lambda place: f"came with pain since day {place}", Kind.TEXT, "string"),
    "same": ("site", lambda _: "A", Kind.CONSTANT, "string"),
    "nothing": ("site", lambda _: "", Kind.CONSTANT, "string"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_column_is_taken_for_what_it_is(case: str, tmp_path: Path) -> None:
    name, make, kind, dtype = CASES[case]
    column = column_of(make, tmp_path, name=name)
    assert (column.kind, column.dtype) == (kind, dtype), column.note
    assert column.note


def test_limits_of_detection_are_missing_listed_and_written_again(tmp_path: Path) -> None:
    column = column_of(CASES["limit"][1], tmp_path)
    assert column.note.endswith('read as missing: ["<0.5"]')
    assert column.missing_token == "<0.5"


def test_ambiguous_dates_are_said_to_be_so(tmp_path: Path) -> None:
    column = column_of(lambda place: f"{place % 12 + 1:02d}/{place % 11 + 1:02d}/2024", tmp_path)
    assert column.format == "%d/%m/%Y"
    assert "%m/%d/%Y" in column.note


@pytest.mark.parametrize("name", ["covid", "paid", "valid", "grid"])
def test_names_that_only_end_like_identifiers_do_not_make_one(name: str, tmp_path: Path) -> None:
    assert column_of(lambda place: (place * 37) % 1009, tmp_path, name=name).kind is Kind.NUMERIC


def long_tail(place: int) -> float:
    """Return numbers of two decimals, and one that a spreadsheet left as it was computed."""
    return 0.92248062015503 if place == 7 else (place * 37 % 1009) / 100


def test_one_value_of_many_decimals_does_not_set_the_form_of_all(tmp_path: Path) -> None:
    column = column_of(long_tail, tmp_path)
    assert column.decimals == 2
    assert "1 of 200 rows" in column.note
    frame = pd.DataFrame({"v": [long_tail(place) for place in range(200)]})
    assert read_table(frame).schema["v"].decimals == 2


def test_real_values_keep_the_decimals_that_synthetic_ones_do_not_get(tmp_path: Path) -> None:
    column_of(long_tail, tmp_path)
    assert 0.92248062015503 in read_table(tmp_path / "t.csv").numbers("v")


def test_a_few_powers_of_ten_do_not_set_the_form_of_all(tmp_path: Path) -> None:
    assert column_of(lambda place: "1e-05" if place == 7 else f"{place * 37 % 1009 / 100:.2f}", tmp_path).decimals == 2


def test_doses_among_zeros_keep_their_decimals(tmp_path: Path) -> None:
    assert column_of(lambda place: 0 if place % 250 else 0.25 + place / 1000, tmp_path, rows=1000).decimals == 2


def test_numbers_of_all_lengths_keep_all_their_decimals(tmp_path: Path) -> None:
    assert column_of(lambda place: (place + 1) / 7, tmp_path).decimals is None
    assert column_of(lambda place: (place * 37 % 1009) / 1000, tmp_path).decimals == 3
