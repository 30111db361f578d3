"""Promises about columns that few tables hold: each was broken once, and the sweep of made tables found it."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as paparquet
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from synth_worker.encoding.direction import _leading
from synth_worker.errors import UnreadableTable
from synth_worker.metrics.association import Layout, gram_of
from synth_worker.parsing import decimals_of, find_date_format, format_dates, parse_dates
from synth_worker.reading import read_table
from synth_worker.report import bins, columns
from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.surrogates import complete
from synth_worker.table import Table, tamed
from synth_worker.writing import to_frame, write_table


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def frame_of(values: object) -> pd.DataFrame:
    return pd.DataFrame({"x": values, "y": np.arange(len(values)) % 3})  # type: ignore[arg-type]


def numbers(values: np.ndarray) -> Table:
    seen = values[~np.isnan(values)]
    schema = Schema((Column("x", Kind.NUMERIC, dtype="float64", low=seen.min(), high=seen.max()),))
    return Table(schema, pd.DataFrame({"x": values}))


EARLY = [dt.date(1, 1, 1) + dt.timedelta(9_000 * one) for one in range(80)]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(EARLY, dtype=object),
        pd.Series([dt.datetime(one.year, 5, 6, 7, 8, 9) for one in EARLY], dtype=object),
        pd.Series([dt.datetime(2020, 1, 1, one % 24, tzinfo=dt.UTC) for one in range(80)], dtype=object),
        pd.Series(
            [dt.datetime(2020, 1 + one % 12, 1, 3, tzinfo=ZoneInfo("Asia/Tokyo")) for one in range(80)], dtype=object
        ),
        pd.Series([pd.Timestamp("2020-01-01", tz="Europe/Rome") + pd.Timedelta(hours=one) for one in range(80)]).astype(
            object
        ),
        pd.Series([dt.time(one % 24, one % 60) for one in range(80)], dtype=object),
        pd.Series(pd.period_range("1990-01", periods=80, freq="M")),
        pd.Series(pd.cut(np.sin(np.arange(80)), [-1.5, -0.5, 0.5, 1.5])),
        pd.Series(np.array([np.datetime64("0850-01-01") + 400 * one for one in range(80)]), dtype="datetime64[s]"),
    ],
    ids=["dates", "instants", "utc", "zoned", "stamps", "times", "periods", "intervals", "year 850"],
)
def test_what_was_read_comes_back_as_it_was(values: pd.Series) -> None:
    back = to_frame(read_table(frame_of(values)))["x"]
    assert back.dtype == values.dtype
    assert [type(one) for one in back] == [type(one) for one in values]
    assert list(back) == list(values)
    if isinstance(values[0], dt.datetime) and values[0].tzinfo is not None:
        assert {str(one.tzinfo) for one in back} == {str(values[0].tzinfo)}


@pytest.mark.parametrize("kind", [pa.bool_(), pa.date32(), pa.time64("us"), pa.int16(), pa.string()])
def test_a_column_without_a_value_keeps_its_type_in_parquet(kind: pa.DataType, tmp_path: Path) -> None:
    source, made = tmp_path / "in.parquet", tmp_path / "out.parquet"
    paparquet.write_table(pa.table({"x": pa.array([None] * 12, type=kind), "y": pa.array(range(12))}), source)
    table = read_table(source)
    write_table(table, made)
    found = paparquet.read_schema(made).field("x").type
    assert found == kind or (pa.types.is_large_string(found) and pa.types.is_string(kind))


def test_tuples_come_back_as_tuples_where_their_text_says_all_of_them() -> None:
    pairs = pd.Series([(1, "a"), None, (2.5, "b"), (1, "a")] * 5, dtype=object)
    assert to_frame(read_table(frame_of(pairs)))["x"].tolist() == pairs.tolist()
    dated = pd.Series([(1, dt.date(2020, 1, 1)), (2, dt.date(2021, 1, 1))] * 5, dtype=object)
    assert to_frame(read_table(frame_of(dated)))["x"].tolist() == [str(one) for one in dated]


def test_instants_of_a_nameless_zone_keep_their_clock() -> None:
    class Ship(dt.tzinfo):
        def utcoffset(self, _when: dt.datetime | None) -> dt.timedelta:
            return dt.timedelta(minutes=17)

    values = [dt.datetime(2020, 1, 1, one % 24, tzinfo=Ship()) for one in range(80)]
    back = to_frame(read_table(frame_of(pd.Series(values, dtype=object))))["x"]
    assert list(back) == [one.replace(tzinfo=None) for one in values]


def test_bytes_are_refused_with_a_way_out() -> None:
    with pytest.raises(UnreadableTable, match="holds bytes") as caught:
        read_table(frame_of(pd.Series([b"a", b"b"] * 10, dtype=object)))
    assert "decode" in caught.value.hint


def test_the_year_850_has_four_digits() -> None:
    texts = ["0850-01-02", "0999-12-31", "2020-05-06"]
    seconds = parse_dates(texts, pattern="%Y-%m-%d")
    assert format_dates(seconds, pattern="%Y-%m-%d") == texts
    assert find_date_format(texts) == ("%Y-%m-%d", "")


@pytest.mark.parametrize("values", [np.array([1e307, -3.5e300, 0.25]), np.array([1e-310, 5e-324])])
def test_extreme_numbers_have_no_decimals_to_find(values: np.ndarray) -> None:
    assert decimals_of(values) is None


@pytest.mark.parametrize("source", ["int64", "uint64", "Int64", "int8", "UInt16"])
def test_fresh_identifiers_fit_the_dtype_and_are_none_of_the_real_ones(source: str) -> None:
    ends = np.iinfo(source.lower())
    rng = np.random.default_rng(3)
    real = np.unique(rng.integers(ends.min, ends.max, 60, dtype=source.lower(), endpoint=True))
    frame = pd.DataFrame({"patient_id": pd.Series(real).astype(source), "y": np.arange(len(real)) % 3})
    table = read_table(frame)
    assert table.schema["patient_id"].kind is Kind.IDENTIFIER
    whole = complete(table.modelled(), table.schema, streams=Streams(0), real=table)
    made = to_frame(whole)["patient_id"]
    assert str(made.dtype) == source
    assert made.is_unique
    assert not set(made) & set(real.tolist())


def test_identifiers_without_room_are_still_none_of_the_real_ones() -> None:
    frame = pd.DataFrame({"patient_id": np.arange(200, dtype="uint8"), "y": np.arange(200) % 3})
    table = read_table(frame)
    made = to_frame(complete(table.modelled(), table.schema, streams=Streams(0), real=table))["patient_id"]
    assert made.is_unique
    assert not set(made) & set(range(200))


@pytest.mark.parametrize("years", [(1, 9_999), (1650, 2400)])
def test_a_histogram_of_dates_spans_millennia(years: tuple[int, int]) -> None:
    ends = [(dt.datetime(year, 1, 1) - dt.datetime(1970, 1, 1)).total_seconds() for year in years]
    chosen = bins.choose(Column("d", Kind.DATETIME, dtype="date"), np.linspace(*ends, 50))
    assert chosen.edges
    assert all(ends[0] <= edge <= ends[1] for edge in chosen.edges)


@pytest.mark.parametrize("values", [np.array([-1.7e308, 0.0, 1.7e308] * 10), np.array([1e-300, -2e300, 5.0] * 10)])
def test_a_report_describes_numbers_of_any_size(values: np.ndarray) -> None:
    table = numbers(values)
    assert all(np.isfinite(edge) for edge in bins.choose(table.schema["x"], values).edges)
    described = columns._describe(table.schema["x"], values)
    assert not {"inf", "nan"} & {word.strip("-") for word in described.values()}


def test_numbers_of_extreme_size_are_brought_to_one_that_can_be_squared() -> None:
    rng = np.random.default_rng(1)
    plain = rng.normal(size=(50, 2))
    plain[:, 1] += plain[:, 0]

    def table(size: float) -> Table:
        schema = Schema(tuple(Column(one, Kind.NUMERIC, dtype="float64") for one in "xy"))
        return Table(schema, pd.DataFrame(plain * size, columns=["x", "y"]))

    found = []
    for size in (1.0, 2.0**900, 2.0**-900):
        (one,) = tamed([table(size)])
        layout = Layout.of(one)
        found.append(layout.associations(gram_of(layout.matrix(one)))[0, 1])
    assert_allclose(found, found[0], rtol=1e-9)


def test_a_number_far_beyond_all_others_has_a_fourth_power() -> None:
    layout = Layout.of(numbers(np.array([0.0, 1.0, 2.0])))
    assert np.isfinite(gram_of(layout.matrix(numbers(np.array([1e25, 0.0, 1.0]))).astype(np.float32))).all()


def test_a_huge_float_is_a_quantity_whatever_its_name() -> None:
    rng = np.random.default_rng(4)
    table = read_table(pd.DataFrame({"patient_id": rng.normal(size=60) * 1e300, "y": np.arange(60) % 3}))
    assert table.schema["patient_id"].kind is Kind.NUMERIC


def test_ordinary_numbers_are_left_alone() -> None:
    tables = [numbers(np.array([1.0, np.nan, 2e9])), numbers(np.array([-1e-9, 3.0]))]
    assert all(left is right for left, right in zip(tamed(tables), tables, strict=True))


@pytest.mark.parametrize("shape", [(3, 40), (40, 3), (1, 5)])
def test_the_leading_direction_is_that_of_the_singular_value_decomposition(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(2).normal(size=shape)
    expected = np.linalg.svd(matrix)[2][0]
    found = _leading(matrix)
    assert_allclose(found * np.sign(found @ expected), expected, atol=1e-9)
    assert_array_equal(_leading(np.zeros((2, 4))), [1.0, 0, 0, 0])


def test_small_numbers_under_a_bound_far_beyond_them_are_tamed_without_a_warning() -> None:
    schema = Schema((Column("x", Kind.NUMERIC, low=-1e300, high=1e300),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (own,) = tamed([Table(schema, pd.DataFrame({"x": [1e-300, 3e-300]}))])
    assert own.numbers("x")[1] / own.numbers("x")[0] == pytest.approx(3.0)
    assert np.isfinite(own.schema["x"].high or np.inf)
