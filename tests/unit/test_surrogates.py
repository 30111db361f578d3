"""What no generator learns is put back: fresh identifiers of the same look, nothing of the real text."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synth_worker.reading import read_like, read_table
from synth_worker.schema import Kind
from synth_worker.seeds import Streams
from synth_worker.surrogates import complete, notes
from synth_worker.table import Table
from synth_worker.writing import to_frame, write_table

RNG = np.random.default_rng(0)
IDENTIFIERS = {
    "counted": (list(range(1000, 1100)), r"11\d\d"),
    "small": (list(range(1, 101)), r"\d{3}"),
    "record numbers": ([int(one) for one in RNG.choice(90_000_000, 100, replace=False) + 10_000_000], r"[1-9]\d{7}"),
    "prefix": ([f"P{place:04d}" for place in range(100)], r"P01\d\d"),
    "zeros": ([f"{one:08d}" for one in RNG.choice(10**7, 100, replace=False)], r"0\d{7}"),
    "uuid": ([str(uuid.UUID(bytes=RNG.bytes(16), version=4)) for _ in range(100)], r"[0-9a-f-]{36}"),
    "mail": ([f"name{place}@clinic.org" for place in range(100)], r"[^@]+@example\.org"),
    "beyond floats": ([2**60 + place for place in range(100)], r"\d{19}"),
}


def table_of(column: list[object], *, name: str = "patient_id") -> Table:
    return read_table(pd.DataFrame({name: column, "x": np.arange(len(column)) % 7 * 1.5, "same": "k"}))


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifiers_are_fresh_unique_and_look_alike(name: str) -> None:
    values, look = IDENTIFIERS[name]
    real = table_of(list(values))
    assert real.schema["patient_id"].kind is Kind.IDENTIFIER
    made = complete(real.modelled(), real.schema, streams=Streams(0), real=real)
    own = list(made.frame["patient_id"])
    assert len(set(own)) == len(own) == 100
    assert not set(own) & {str(one) for one in values}
    assert all(re.fullmatch(look, one) for one in own), own[:3]
    assert to_frame(made)["patient_id"].dtype == to_frame(real)["patient_id"].dtype
    assert list(to_frame(made).columns) == ["patient_id", "x", "same"]
    assert set(made.frame["same"]) == {"k"}


@pytest.mark.parametrize("seed", range(12))
def test_numbers_on_both_sides_of_zero_come_back_as_numbers(seed: int, tmp_path: Path) -> None:
    real = table_of([int(one) for one in np.random.default_rng(seed).integers(-(2**63), 2**63, 40)])
    few = real.modelled().take(np.arange(4))  # among many some would not fit the type, and be drawn otherwise
    made = complete(few, real.schema, streams=Streams(seed), text="drop", real=real)
    write_table(made, tmp_path / "made.csv")
    back, broken = read_like(tmp_path / "made.csv", real.schema)
    assert not broken
    assert to_frame(back)["patient_id"].dtype == np.int64


def test_text_is_dropped_or_made_up() -> None:
    words = ["pain", "fever", "since", "monday", "aspirin", "left", "knee", "Haas"]
    texts = [" ".join(RNG.choice(words, 7)) for _ in range(100)]
    real = table_of(list(texts), name="remark")
    assert real.schema["remark"].kind is Kind.TEXT
    assert "remark" not in complete(real.modelled(), real.schema, streams=Streams(0), real=real).schema
    made = complete(real.modelled(), real.schema, streams=Streams(0), text="fake", real=real)
    assert not {word for one in made.frame["remark"] for word in one.lower().strip(".").split()} & {
        word.lower() for word in words
    }
    assert "left out" in notes(real.schema, "drop")[0]
    assert "made up" in notes(real.schema, "fake")[0]
    assert "same value" in notes(real.schema, "fake")[1]


def test_ten_thousand_rows_take_less_than_two_seconds() -> None:
    real = table_of([f"AB-{one}" for one in RNG.choice(10**6, 10_000, replace=False)])
    begin = time.process_time()
    made = complete(real.modelled(), real.schema, streams=Streams(0), real=real)
    assert time.process_time() - begin < 2
    assert made.frame["patient_id"].is_unique


def test_the_same_seed_makes_the_same_identifiers() -> None:
    real = table_of([f"{place:08x}" for place in RNG.choice(2**31, 50, replace=False)])
    first, second = (complete(real.modelled(), real.schema, streams=Streams(3), real=real) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame, second.frame)
