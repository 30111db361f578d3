"""Make columns of every kind that a table may hold, tame and odd: one literal registry, each from a random generator.

A maker takes a generator, the number of rows, and a pool of texts and of floats that Hypothesis chose; it returns
something that a data frame takes for a column.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

Rng = np.random.Generator


@dataclass(frozen=True)
class Pool:
    """Hold what Hypothesis chose for the cells of a column."""

    texts: tuple[str, ...]
    floats: tuple[float, ...]


Maker = Callable[[Rng, int, Pool], object]

WORDS = ("pain", "since", "monday", "no", "fever", "seen", "again", "on", "the", "ward", "mild", "left", "arm")
ODD_TEXTS = (
    "ä, b", 'say "hi"', "two\nlines", "semi;colon", "tab\there", "=1+1", "+49 30 1234567", "-", "'quoted", "007", "1e5",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u0645\u0631\u062d\u0628\u0627", "🙂", "👩‍👩‍👧", "e\u0301", "\u200b", "NULLO", "None",
    "TRUE", "1,5", "1.5", "<b>", "{x}", "%s", "a" * 200, " lead", "trail ", "\ufeffbom", "cr\rhere",
)  # fmt: skip


def _choice(rng: Rng, rows: int, values: Sequence[object]) -> np.ndarray:
    own = np.empty(len(values), dtype=object)
    own[:] = list(values)
    return own[rng.integers(0, len(values), rows)]


def _integers(dtype: str, *, huge: bool = False) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        ends = np.iinfo(dtype.lower())
        low, high = (ends.min, ends.max) if huge else (max(ends.min, -50), min(ends.max, 70))
        return pd.Series(rng.integers(low, high, rows, dtype=dtype.lower(), endpoint=True)).astype(dtype)

    return make


def _floats(dtype: str, scale: float = 1.0) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        return pd.Series(rng.normal(size=rows) * scale).astype(dtype)

    return make


def _lognormal(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.lognormal(0.0, 4.0, rows)


def _zeros(rng: Rng, rows: int, _pool: Pool) -> object:
    return np.where(rng.random(rows) < 0.999, 0.0, rng.lognormal(3.0, 2.0, rows))


def _pool_floats(rng: Rng, rows: int, pool: Pool) -> object:
    return rng.choice(np.asarray(pool.floats, dtype=np.float64), rows)


def _spiked_floats(rng: Rng, rows: int, pool: Pool) -> object:
    return np.where(rng.random(rows) < 0.1, rng.choice(np.asarray(pool.floats), rows), rng.normal(size=rows))


def _with_infinity(rng: Rng, rows: int, _pool: Pool) -> object:
    return np.where(rng.random(rows) < 0.1, rng.choice([np.inf, -np.inf], rows), rng.normal(size=rows))


def _negative_zero(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.choice([0.0, -0.0, 1.5, -2.5], rows)


def _magnitudes(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.choice([-1.0, 1.0], rows) * 10.0 ** rng.uniform(-307, 307, rows)


def _tiny(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.random(rows) * 1e-310


def _offset(rng: Rng, rows: int, _pool: Pool) -> object:
    return 1e15 + rng.normal(size=rows)


def _money(rng: Rng, rows: int, _pool: Pool) -> object:
    return np.round(rng.lognormal(3, 1, rows), 2)


def _decimals(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series([Decimal(int(one)) / 100 for one in rng.integers(-9999, 9999, rows)], dtype=object)


def _near_constant(rng: Rng, rows: int, _pool: Pool) -> object:
    values = np.full(rows, 7.25)
    values[rng.integers(0, rows)] = 9.5
    return values


def _near_constant_label(rng: Rng, rows: int, _pool: Pool) -> object:
    values = np.full(rows, "usual", dtype=object)
    values[rng.integers(0, rows)] = "rare"
    return values


def _labels(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.choice(["red", "green", "blue", "grey"], rows, p=[0.6, 0.3, 0.07, 0.03])


def _many_labels(rng: Rng, rows: int, _pool: Pool) -> object:
    return [f"ward {one}" for one in rng.integers(0, max(rows // 2, 2), rows)]


def _pool_texts(rng: Rng, rows: int, pool: Pool) -> object:
    return _choice(rng, rows, pool.texts)


def _odd_texts(rng: Rng, rows: int, _pool: Pool) -> object:
    return _choice(rng, rows, ODD_TEXTS)


def _unique_odd(rng: Rng, rows: int, pool: Pool) -> object:
    return [f"{one}{number}" for number, one in enumerate(_choice(rng, rows, [*pool.texts, *ODD_TEXTS]))]


def _strings(dtype: str) -> Maker:
    def make(rng: Rng, rows: int, pool: Pool) -> object:
        return pd.Series([str(one) for one in _choice(rng, rows, ["x", "y", *pool.texts])], dtype=dtype)

    return make


def _category(values: Sequence[object], *, ordered: bool = False, unused: Sequence[object] = ()) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        dtype = pd.CategoricalDtype([*values, *unused], ordered=ordered)
        return pd.Series(pd.Categorical(_choice(rng, rows, values), dtype=dtype))

    return make


def _instants(start: str, days: int, dtype: str, *, zone: str = "", whole: bool = False) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        seconds = rng.integers(0, days * 86_400, rows)
        seconds = seconds // 86_400 * 86_400 if whole else seconds
        values = pd.Series(np.datetime64(start, "s") + seconds.astype("timedelta64[s]")).astype(dtype)
        return values.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else values

    return make


def _python_dates(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series(
        [dt.date(1, 1, 1) + dt.timedelta(int(one)) for one in rng.integers(0, 3_600_000, rows)], dtype=object
    )


def _python_datetimes(rng: Rng, rows: int, _pool: Pool) -> object:
    start = dt.datetime(1800, 1, 1)
    return pd.Series([start + dt.timedelta(seconds=int(one)) for one in rng.integers(0, 10**10, rows)], dtype=object)


def _python_times(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series([dt.time(int(one) // 60, int(one) % 60) for one in rng.integers(0, 1440, rows)], dtype=object)


def _zoned_datetimes(rng: Rng, rows: int, _pool: Pool) -> object:
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return pd.Series([start + dt.timedelta(hours=int(one)) for one in rng.integers(0, 9000, rows)], dtype=object)


def _date_texts(pattern: str) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        days = rng.integers(-40_000, 90_000, rows)
        return [(dt.datetime(1990, 1, 1) + dt.timedelta(int(one), int(one) % 86_400)).strftime(pattern) for one in days]

    return make


def _durations(unit: str, dtype: str) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        return pd.Series(pd.to_timedelta(rng.integers(-5000, 90_000, rows), unit=unit)).astype(dtype)

    return make


def _mixed(values: Sequence[object]) -> Maker:
    def make(rng: Rng, rows: int, _pool: Pool) -> object:
        return pd.Series(_choice(rng, rows, values), dtype=object)

    return make


def _numbers_and_words(rng: Rng, rows: int, _pool: Pool) -> object:
    return [("neg" if one < -2 else f"{one:.1f}") for one in rng.normal(size=rows)]


def _limits(rng: Rng, rows: int, _pool: Pool) -> object:
    return [("<0.5" if one < 0.5 else f"{one:.2f}") for one in rng.lognormal(size=rows)]


def _comma_numbers(rng: Rng, rows: int, _pool: Pool) -> object:
    return [f"{one:.2f}".replace(".", ",") for one in rng.normal(size=rows)]


def _leading_zeros(rng: Rng, rows: int, _pool: Pool) -> object:
    return [f"{one:05d}" for one in rng.integers(0, 30, rows)]


def _periods(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series(pd.PeriodIndex.from_ordinals(rng.integers(400, 700, rows), freq="M"))


def _intervals(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series(pd.cut(rng.normal(size=rows), [-9, -1, 0, 1, 9]))


def _sparse(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series(pd.arrays.SparseArray(np.where(rng.random(rows) < 0.9, 0.0, rng.normal(size=rows))))


def _complex(rng: Rng, rows: int, _pool: Pool) -> object:
    return rng.normal(size=rows) + 1j


def _bytes(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series(_choice(rng, rows, [b"a", b"\xff", b"bc"]), dtype=object)


def _lists(rng: Rng, rows: int, _pool: Pool) -> object:
    return pd.Series([[int(one)] for one in rng.integers(0, 9, rows)], dtype=object)


def _free_text(rng: Rng, rows: int, _pool: Pool) -> object:
    return [" ".join(rng.choice(WORDS, 8)) for _ in range(rows)]


def _uuids(rng: Rng, rows: int, _pool: Pool) -> object:
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(rows)]


def _absent(value: object, dtype: str) -> Maker:
    def make(_rng: Rng, rows: int, _pool: Pool) -> object:
        return pd.Series([value] * rows, dtype=dtype)

    return make


MAKERS: Mapping[str, Maker] = {
    "bool": lambda rng, rows, _pool: rng.random(rows) < 0.4,
    "boolean": lambda rng, rows, _pool: pd.Series(rng.random(rows) < 0.4).astype("boolean"),
    "bool[pyarrow]": lambda rng, rows, _pool: pd.Series(rng.random(rows) < 0.4).astype("bool[pyarrow]"),
    **{name: _integers(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    **{name: _integers(name) for name in ("Int8", "Int32", "Int64", "UInt16", "UInt64")},
    **{f"{name} huge": _integers(name, huge=True) for name in ("int8", "int32", "int64", "uint64", "Int64", "UInt64")},
    "int64[pyarrow]": lambda rng, rows, _pool: pd.Series(rng.integers(0, 90, rows)).astype("int64[pyarrow]"),
    "two numbers": lambda rng, rows, _pool: rng.integers(0, 2, rows),
    **{name: _floats(name) for name in ("float16", "float32", "float64", "Float32", "Float64", "double[pyarrow]")},
    "float32 huge": _floats("float32", 1e37),
    "float huge": _floats("float64", 1e300),
    "float tiny": _floats("float64", 1e-300),
    "float denormal": _tiny,
    "float magnitudes": _magnitudes,
    "float offset": _offset,
    "float whole": lambda rng, rows, _pool: rng.integers(0, 90, rows).astype(float),
    "float lognormal": _lognormal,
    "float zeros": _zeros,
    "float pool": _pool_floats,
    "float spiked": _spiked_floats,
    "float infinity": _with_infinity,
    "float negative zero": _negative_zero,
    "money": _money,
    "Decimal": _decimals,
    "constant": lambda _rng, rows, _pool: np.full(rows, 3),
    "constant text": lambda _rng, rows, pool: [pool.texts[0]] * rows,
    "near constant": _near_constant,
    "near constant label": _near_constant_label,
    "labels": _labels,
    "many labels": _many_labels,
    "texts pool": _pool_texts,
    "texts odd": _odd_texts,
    "texts unique": _unique_odd,
    "string": _strings("string"),
    "str": _strings("str"),
    "string[pyarrow]": _strings("string[pyarrow]"),
    "object text": _strings("object"),
    "category": _category(["a", "b", "c"]),
    "category unused": _category(["a", "b"], unused=["z", "y"]),
    "category ordered": _category(["low", "mid", "high"], ordered=True, unused=["top"]),
    "category of numbers": _category([3, 1, 20]),
    "category of floats": _category([0.5, 1.5, -2.0], ordered=True),
    "category of truths": _category([True, False]),
    "category of dates": _category([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-05-05")]),
    "category odd": _category(ODD_TEXTS),
    "instants ns": _instants("2001-01-01", 900, "datetime64[ns]"),
    "instants us": _instants("2001-01-01", 900, "datetime64[us]"),
    "instants s": _instants("2001-01-01", 900, "datetime64[s]"),
    "days": _instants("2001-01-01", 900, "datetime64[ns]", whole=True),
    "days before 1900": _instants("1650-01-01", 40_000, "datetime64[s]", whole=True),
    "days after 2262": _instants("2262-01-01", 90_000, "datetime64[us]", whole=True),
    "instants year 1": _instants("0001-01-01", 3_000_000, "datetime64[s]"),
    "zoned": _instants("2001-01-01", 900, "datetime64[ns]", zone="Europe/Berlin"),
    "zoned us": _instants("2001-01-01", 900, "datetime64[us]", zone="UTC"),
    "timestamp[pyarrow]": _instants("2001-01-01", 900, "timestamp[us][pyarrow]"),
    "date objects": _python_dates,
    "datetime objects": _python_datetimes,
    "datetime objects zoned": _zoned_datetimes,
    "time objects": _python_times,
    "dates iso": _date_texts("%Y-%m-%d"),
    "dates german": _date_texts("%d.%m.%Y"),
    "dates american": _date_texts("%m/%d/%Y"),
    "dates short year": _date_texts("%d.%m.%y"),
    "dates compact": _date_texts("%Y%m%d"),
    "instants text": _date_texts("%Y-%m-%d %H:%M:%S"),
    "times text": _date_texts("%H:%M"),
    "durations ns": _durations("s", "timedelta64[ns]"),
    "durations s": _durations("D", "timedelta64[s]"),
    "durations ms": _durations("ms", "timedelta64[ms]"),
    "mixed numbers and texts": _mixed([1, "a", 2.5, "7"]),
    "mixed truths": _mixed([True, False, None]),
    "mixed truths and numbers": _mixed([True, 2, 0]),
    "mixed floats and none": _mixed([1.5, None, 2, float("nan")]),
    "mixed everything": _mixed([1, "x", None, dt.date(2020, 1, 1), 2.5, True, pd.NaT, (1, 2)]),
    "mixed big": _mixed([2**70, 1, -(2**80)]),
    "numbers and words": _numbers_and_words,
    "limits of detection": _limits,
    "comma numbers": _comma_numbers,
    "leading zeros": _leading_zeros,
    "number texts": lambda rng, rows, _pool: [f"{one:.3f}" for one in rng.normal(size=rows)],
    "percent": lambda rng, rows, _pool: [f"{one}%" for one in rng.integers(0, 100, rows)],
    "periods": _periods,
    "intervals": _intervals,
    "sparse": _sparse,
    "complex": _complex,
    "bytes": _bytes,
    "lists": _lists,
    "free text": _free_text,
    "counted": lambda _rng, rows, _pool: np.arange(1, rows + 1),
    "numbered": lambda rng, rows, _pool: [f"P{one:06d}" for one in rng.permutation(rows)],
    "uuids": _uuids,
    "emails": lambda _rng, rows, _pool: [f"person{one}@example.com" for one in range(rows)],
    "absent float": _absent(np.nan, "float64"),
    "absent object": _absent(None, "object"),
    "absent string": _absent(pd.NA, "string"),
    "absent instant": _absent(pd.NaT, "datetime64[ns]"),
    "absent Int64": _absent(pd.NA, "Int64"),
    "absent boolean": _absent(pd.NA, "boolean"),
}  # fmt: skip
