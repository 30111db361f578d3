"""Make tables of any number of rows for the measurements of scale: mixed, dependent, with gaps, written in batches.

Three hidden normal numbers per row drive all columns, so that every column hangs together with some other. A batch
depends on the seed and its place alone: a longer table begins with the rows of a shorter one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as paparquet

BATCH = 100_000

COLUMNS = (
    "age", "height", "income", "visits", "lab_a", "admitted", "sex", "region", "diagnosis", "outcome",
    "weight", "score", "lab_b", "discharged", "ward", "product", "smoker", "dose", "rating", "balance",
)  # fmt: skip
"""The names of all twenty columns; a narrower table has the first of them."""


def batch(place: int, rows: int, *, seed: int, columns: int = len(COLUMNS)) -> pa.Table:
    """Return one batch of a table: ``rows`` rows and the first ``columns`` columns.

    >>> batch(0, 3, seed=0, columns=2).column_names
    ['age', 'height']
    """
    rng = np.random.default_rng([seed, place])
    z = rng.normal(size=(3, rows))
    noise = rng.normal(size=(6, rows))
    chance = rng.random(size=(8, rows))
    age = np.clip(np.rint(52 + 17 * z[0]), 18, 99)
    male = chance[0] < 0.49
    height = 163 + 13 * male + 6.5 * noise[0] - 0.05 * (age - 52)
    lab_a = np.exp(1.2 + 0.5 * z[1] + 0.3 * noise[1])
    admitted = np.rint(18_262 + 1_460 * chance[1] + 20 * z[2]).astype(np.int32)
    sick = 1 / (1 + np.exp(-(0.8 * z[0] + 0.9 * z[1] - 1.2)))
    income = np.where(chance[2] < 0.18, 0, np.rint(np.exp(10 + 0.5 * z[2] + 0.4 * noise[2]) / 100) * 100)
    ward = np.clip(np.floor(2.5 + z[1] + 0.5 * noise[3]), 0, 4).astype(np.int64)
    dose = np.clip(np.rint(4 + 2 * z[1] + noise[4]), 0, 12) * 50
    made: dict[str, pa.Array] = {
        "age": pa.array(age.astype(np.int64)),
        "height": pa.array(np.round(height, 1)),
        "income": pa.array(income.astype(np.int64)),
        "visits": pa.array(rng.poisson(np.exp(0.5 + 0.5 * z[1]))),
        "lab_a": _gaps(np.round(lab_a, 2), chance[3] < 0.08),
        "admitted": pa.array(admitted).cast(pa.date32()),
        "sex": pa.array(np.where(male, "m", "f")),
        "region": _labels("region", _zipf(chance[4], 20, lean=z[2])),
        "diagnosis": _labels("code", _zipf(chance[5], 1_000, lean=z[1])),
        "outcome": pa.array(np.where(rng.random(rows) < sick, "yes", "no")),
        "weight": pa.array(np.round(22 * (height / 100) ** 2 + 9 * np.abs(noise[5]) * (1 + 0.2 * z[1]), 1)),
        "score": _gaps(np.round(0.6 * z[0] - 0.4 * z[2] + rng.normal(size=rows), 3), chance[6] < 0.15 + 0.1 * male),
        "lab_b": pa.array(np.round(4 * lab_a + rng.normal(size=rows), 2)),
        "discharged": pa.array((admitted + rng.geometric(0.2, size=rows)).astype(np.int32)).cast(pa.date32()),
        "ward": pa.array(np.array(["eye", "bone", "heart", "lung", "stroke"])[ward]),
        "product": _labels("item", _zipf(chance[7], 100, lean=z[0])),
        "smoker": _missing_labels(np.array(["never", "former", "now"])[np.clip(rng.binomial(2, sick), 0, 2)], rng),
        "dose": pa.array(dose.astype(np.int64)),
        "rating": pa.array(np.clip(np.rint(6 + 1.5 * z[2] + rng.normal(size=rows)), 1, 10).astype(np.int64)),
        "balance": pa.array(np.round(200 * rng.standard_t(4, size=rows) + 300 * z[2], 2)),
    }
    return pa.table({name: made[name] for name in COLUMNS[:columns]})


def write(path: Path, rows: int, *, seed: int, columns: int = len(COLUMNS)) -> None:
    """Write a table of ``rows`` rows to a CSV or Parquet file, one batch at a time."""
    schema = batch(0, 2, seed=seed, columns=columns).schema
    csv = path.suffix == ".csv"
    with pacsv.CSVWriter(path, schema) if csv else paparquet.ParquetWriter(path, schema) as writer:
        for place, start in enumerate(range(0, rows, BATCH)):
            writer.write_table(batch(place, min(BATCH, rows - start), seed=seed, columns=columns))


def _gaps(values: np.ndarray, absent: np.ndarray) -> pa.Array:
    return pa.array(values, mask=absent)


def _missing_labels(labels: np.ndarray, rng: np.random.Generator) -> pa.Array:
    return pa.array(labels.astype(object), type=pa.string(), mask=rng.random(len(labels)) < 0.05)


def _zipf(chance: np.ndarray, levels: int, *, lean: np.ndarray) -> np.ndarray:
    """Draw levels with frequencies falling like 1/(k + 2), turned by a hidden number so that they depend on it."""
    ends = np.cumsum(1 / (np.arange(levels) + 2.0))
    drawn = np.searchsorted(ends / ends[-1], chance)
    turn = np.clip(np.floor(1.5 + lean), 0, 2).astype(np.int64)
    return (drawn + 3 * turn) % levels


def _labels(word: str, codes: np.ndarray) -> pa.Array:
    names = pa.array([f"{word}{at:03d}" for at in range(int(codes.max()) + 1)])
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names).dictionary_decode()
