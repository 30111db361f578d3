"""Make tables that are small, wide or odd: one function each, named in one literal registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd


def patients(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a plain table of so many rows."""
    rng = np.random.default_rng([4_711, seed])
    age = np.clip(np.round(rng.normal(58, 16, rows)), 18, 95).astype(int)
    return pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["F", "M"], rows),
            "ward": rng.choice(["surgery", "medicine", "stroke"], rows, p=[0.3, 0.5, 0.2]),
            "pressure": np.round(100 + 0.6 * age + rng.normal(0, 12, rows)).astype(int),
            "outcome": np.where(rng.random(rows) < 1 / (1 + np.exp(-(age - 60) / 8)), "ill", "well"),
        }
    )


def wide(rows: int = 60, columns: int = 200) -> pd.DataFrame:
    """Return more columns than rows, in blocks that hang together."""
    rng = np.random.default_rng(1)
    blocks = rng.normal(size=(rows, 10))
    found: dict[str, object] = {}
    for place in range(columns):
        values = blocks[:, place % 10] * 0.7 + rng.normal(size=rows) * 0.7
        found[f"m{place:03d}"] = values if place % 4 else np.where(values > 0.3, "high", "low")
    return pd.DataFrame(found)


def one_class() -> pd.DataFrame:
    """Return a target that has one class but for two rows."""
    frame = patients(300)
    frame["outcome"] = "well"
    frame.loc[[3, 4], "outcome"] = "ill"
    return frame


def skewed() -> pd.DataFrame:
    """Return a cost with a log-normal tail (sigma 4) and a gain that is zero in 999 of 1,000 rows."""
    rng = np.random.default_rng(2)
    frame = patients(1_000)
    frame["cost"] = rng.lognormal(0.0, 4.0, 1_000)
    frame["gain"] = np.where(rng.random(1_000) < 0.999, 0.0, rng.lognormal(3.0, 2.0, 1_000))
    return frame


def many_labels(rows: int = 20_000, labels: int = 10_000) -> pd.DataFrame:
    """Return a label column of thousands of categories, as a product or a town has."""
    rng = np.random.default_rng(3)
    frame = patients(rows)
    frame["town"] = [f"town {one}" for one in rng.integers(0, labels, rows)]
    return frame


def near_constant() -> pd.DataFrame:
    """Return columns of which all but one or two rows are the same."""
    frame = patients(300)
    for place in range(4):
        frame[f"flag{place}"] = np.where(np.arange(300) == 17 * place, 1.5, 0.0)
        frame[f"word{place}"] = np.where(np.arange(300) == 23 * place, "rare", "usual")
    return frame


def mostly_missing() -> pd.DataFrame:
    """Return a table in which half of the columns lack 95 of 100 values."""
    rng = np.random.default_rng(4)
    frame = pd.concat([patients(400), patients(400, seed=1).add_prefix("late_")], axis=1)
    for name in frame.columns[5:]:
        frame[name] = (
            frame[name].astype("Int64" if frame[name].dtype.kind == "i" else object).mask(rng.random(400) < 0.95)
        )
    return frame


def unique_labels() -> pd.DataFrame:
    """Return label columns in which nearly every label stands once, beside two plain ones."""
    rng = np.random.default_rng(5)
    frame = patients(300)[["age", "sex"]]
    frame["name"] = [f"N{one}" for one in rng.permutation(10_000)[:300]]
    frame["place"] = [f"place {one}" for one in rng.integers(0, 1_500, 300)]
    return frame


ODD: Mapping[str, tuple[Callable[[], pd.DataFrame], str | None]] = {
    "wide": (wide, None),
    "one class": (one_class, "outcome"),
    "skewed": (skewed, "outcome"),
    "many labels": (many_labels, "outcome"),
    "near constant": (near_constant, "outcome"),
    "mostly missing": (mostly_missing, "outcome"),
    "unique labels": (unique_labels, None),
    "30 rows": (lambda: patients(30), "outcome"),
    "50 rows": (lambda: patients(50), "outcome"),
    "100 rows": (lambda: patients(100), "outcome"),
    "300 rows": (lambda: patients(300), "outcome"),
    "1000 rows": (lambda: patients(1_000), "outcome"),
}
"""Each table with the column that is predicted, if there is one."""
