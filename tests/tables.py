"""Make tables whose dependence is known: mixed (``adult_like``), ``continuous``, ``discrete``, ``survival``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table

Values = NDArray[np.float64] | NDArray[np.int64]

EDUCATION = tuple(f"grade-{one:02d}" for one in range(1, 17))
WORK = ("private", "self", "federal", "state", "local", "unpaid", "inc", "never")
MARITAL = ("married", "single", "divorced", "widowed", "separated", "absent", "forces")
RELATION = ("husband", "wife", "own-child", "not-in-family", "other-relative", "unmarried")
OCCUPATION = tuple(f"job-{one:02d}" for one in range(14))
COUNTRY = tuple(f"land-{one:02d}" for one in range(41))


def build(columns: Mapping[str, Column], values: Mapping[str, Values], units: NDArray[np.int64] | None = None) -> Table:
    """Build a canonical table from columns and arrays: codes (missing -1) for categories, floats for numbers."""
    frame: dict[str, object] = {}
    schema: list[Column] = []
    for name, column in columns.items():
        if column.kind is Kind.CATEGORICAL:
            frame[name] = pd.Categorical.from_codes(np.asarray(values[name], np.int64), categories=column.categories)
        else:
            frame[name] = np.asarray(values[name], dtype=np.float64)
        schema.append(column)
    return Table(Schema(tuple(schema)), pd.DataFrame(frame), units)


def whole(name: str, *, nullable: bool = False) -> Column:
    """Return a column of whole numbers."""
    return Column(name, Kind.NUMERIC, dtype="int64", decimals=0, nullable=nullable)


def labels(name: str, categories: Sequence[str], *, nullable: bool = False) -> Column:
    """Return a column of labels."""
    return Column(name, Kind.CATEGORICAL, categories=tuple(categories), nullable=nullable)


def adult_like(rows: int, seed: int = 0) -> Table:
    """Make a census-like table of 15 columns.

    It has point masses (``gain`` is zero in 9 of 10 rows, ``hours`` 40 in nearly half), a functional dependency
    (``education`` -> ``grade``), excluded pairs (a husband is a married man), rare categories (``country``), missing
    values (``work`` and ``job`` together, ``bmi`` at random), a unique number (``weight``), an instant (``joined``),
    and a target (``income``) that the other columns predict with an AUC of about 0.9.
    """
    rng = np.random.default_rng([8_141, seed])
    age = np.clip(np.round(17 + rng.gamma(3.0, 7.5, rows)), 17, 90)
    male = rng.random(rows) < 0.67
    skill = rng.normal(size=rows) + 0.02 * (age - 38)
    education = np.clip(np.round(9 + 2.6 * skill + rng.normal(size=rows)), 0, 15).astype(np.int64)
    single = rng.random(rows) < 1 / (1 + np.exp((age - 30) / 5))
    marital = np.where(single, 1, rng.choice(7, p=[0.7, 0.04, 0.17, 0.04, 0.03, 0.01, 0.01], size=rows))
    apart = rng.choice([2, 3, 4, 5], p=[0.25, 0.5, 0.05, 0.2], size=rows)
    relation = np.where(marital == 0, np.where(male, 0, 1), apart)
    job = np.clip(np.round(6.5 + 2.2 * skill + 2.0 * (male - 0.5) + rng.normal(size=rows) * 1.5), 0, 13).astype(
        np.int64
    )
    work = rng.choice(8, p=[0.7, 0.1, 0.04, 0.05, 0.06, 0.01, 0.03, 0.01], size=rows)
    work = np.where((job >= 11) & (rng.random(rows) < 0.3), 4, work)
    idle = rng.random(rows) < 0.06
    tail = 0.08 / np.arange(1, 41) ** 1.2
    country = rng.choice(41, p=np.append(1 - tail.sum(), tail), size=rows)
    hours = np.where(rng.random(rows) < 0.47, 40, np.clip(np.round(40 + 4 * skill + rng.normal(size=rows) * 11), 1, 99))
    odds = -3.1 + 1.1 * skill + 2.2 * (marital == 0) + 0.03 * (hours - 40) + 0.02 * (age - 38)
    rich = rng.random(rows) < 1 / (1 + np.exp(-odds))
    gain = np.where(rng.random(rows) < np.where(rich, 0.2, 0.04), np.round(np.exp(rng.normal(8.3, 0.8, rows))), 0.0)
    loss = np.where(rng.random(rows) < 0.05, np.round(rng.normal(1_870, 300, rows)), 0.0)
    bmi = np.round(23 + 0.05 * age + 1.5 * male + rng.normal(size=rows) * 3, 1)
    bmi[rng.random(rows) < 0.1] = np.nan
    joined = 86_400.0 * np.round(14_000 - 365 * np.minimum((age - 17) * rng.random(rows), 30))
    columns = (
        whole("age"),
        labels("work", WORK, nullable=True),
        whole("weight"),
        labels("education", EDUCATION),
        whole("grade"),
        labels("marital", MARITAL),
        labels("job", OCCUPATION, nullable=True),
        labels("relation", RELATION),
        labels("sex", ("f", "m")),
        whole("gain"),
        whole("hours"),
        Column("bmi", Kind.NUMERIC, dtype="float64", decimals=1, nullable=True),
        Column("joined", Kind.DATETIME, dtype="date", format="%Y-%m-%d"),
        labels("country", COUNTRY),
        labels("income", ("low", "high")),
    )
    values = {
        "age": age,
        "work": np.where(idle, -1, work),
        "weight": np.round(np.exp(rng.normal(12.0, 0.5, rows))),
        "education": education,
        "grade": education + 1,
        "marital": marital,
        "job": np.where(idle, -1, job),
        "relation": relation,
        "sex": male.astype(np.int64),
        "gain": gain + loss * (gain == 0),
        "hours": hours,
        "bmi": bmi,
        "joined": joined,
        "country": country,
        "income": rich.astype(np.int64),
    }
    return build({column.name: column for column in columns}, values)


def continuous(rows: int, columns: int = 6, seed: int = 0) -> Table:
    """Make normal columns ``x0``, ``x1``, ... of which each two correlate by one half."""
    rng = np.random.default_rng([5_021, seed])
    drawn = rng.normal(size=(rows, columns)) * np.sqrt(0.5) + rng.normal(size=(rows, 1)) * np.sqrt(0.5)
    names = [f"x{one}" for one in range(columns)]
    schema = {name: Column(name, Kind.NUMERIC, dtype="float64") for name in names}
    return build(schema, {name: drawn[:, place] for place, name in enumerate(names)})


def discrete(rows: int, seed: int = 0) -> Table:
    """Make a table of few distinct rows, so that about half of fresh rows equal one of 1,000 others."""
    rng = np.random.default_rng([6_007, seed])
    base = rng.normal(size=rows)
    columns: dict[str, Column] = {}
    values: dict[str, Values] = {}
    for place, size in enumerate((2, 3, 4, 3, 2)):
        name = f"c{place}"
        columns[name] = labels(name, [f"v{one}" for one in range(size)])
        values[name] = np.clip(np.floor(base * 0.8 + rng.normal(size=rows) * 0.6 + size / 2), 0, size - 1).astype(int)
    columns["visits"] = whole("visits")
    values["visits"] = rng.poisson(np.exp(0.4 * base)).astype(np.float64)
    columns["plan"] = whole("plan")
    values["plan"] = rng.choice([0.0, 25.0, 50.0, 95.0], p=[0.5, 0.2, 0.2, 0.1], size=rows)
    return build(columns, values)


def known(rows: int, seed: int = 0) -> Table:
    """Make two normal columns that correlate by .8, a label that follows the first, and a class of 5 %."""
    drawn = np.random.default_rng([3_001, seed])
    x = drawn.normal(size=rows)
    y = 0.8 * x + 0.6 * drawn.normal(size=rows)
    columns = {
        "x": Column("x", Kind.NUMERIC, dtype="float64"),
        "y": Column("y", Kind.NUMERIC, dtype="float64"),
        "side": labels("side", ("low", "high")),
        "rare": labels("rare", ("no", "yes", "never")),
    }
    values = {
        "x": x,
        "y": y,
        "side": (x + 0.3 * drawn.normal(size=rows) > 0).astype(np.int64),
        "rare": (np.arange(rows) % 20 == 0).astype(np.int64),
    }
    return build(columns, values)


def survival(rows: int, seed: int = 0) -> Table:
    """Make times, censored at random, whose log hazard is ``1.0 * risk + 0.7 * arm``; the best C is about 0.745."""
    rng = np.random.default_rng([7_013, seed])
    risk, arm = rng.normal(size=rows), (rng.random(rows) < 0.5).astype(np.int64)
    due = rng.exponential(np.exp(-1.0 * risk - 0.7 * arm))
    stop = rng.exponential(2.0, size=rows)
    columns = {
        "risk": Column("risk", Kind.NUMERIC, dtype="float64"),
        "arm": labels("arm", ("control", "treated")),
        "time": Column("time", Kind.NUMERIC, dtype="float64"),
        "event": whole("event"),
    }
    values = {"risk": risk, "arm": arm, "time": np.minimum(due, stop), "event": (due <= stop).astype(np.float64)}
    return build(columns, values)


def with_units(table: Table, size: int = 3) -> Table:
    """Return the table with every ``size`` rows in turn belonging to one person."""
    return Table(table.schema, table.frame, np.arange(table.rows) // size)


def shuffled(table: Table, seed: int = 0) -> Table:
    """Return the table with each column shuffled on its own: right margins, no dependence."""
    rng = np.random.default_rng([9_001, seed])
    frame = pd.DataFrame({name: table.frame[name].take(rng.permutation(table.rows)).array for name in table.frame})
    return Table(table.schema, frame)


def cornered(table: Table) -> Table:
    """Return the table with numbers up to the median moved to the minimum and the others to the maximum."""
    frame = table.frame.copy()
    for column in table.schema:
        if column.continuous:
            values = table.numbers(column.name)
            ends = np.where(values <= np.nanmedian(values), np.nanmin(values), np.nanmax(values))
            frame[column.name] = np.where(np.isnan(values), np.nan, ends)
    return Table(table.schema, frame)


def chained_labels(rows: int, seed: int) -> Table:
    """Return eight labels of four kinds, each after the one before it in two of three rows: most rows occur once."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 4, rows)]
    for _ in range(7):
        codes.append(np.where(rng.random(rows) < 0.67, codes[-1], rng.integers(0, 4, rows)))
    named: dict[str, Values] = {f"c{place}": np.asarray(own, np.int64) for place, own in enumerate(codes)}
    return build({name: labels(name, list("abcd")) for name in named}, named)
