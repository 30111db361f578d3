"""Make a public schema and a private method that a test can script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from synth_worker.generators.base import GeneratorSpec, Hyperparameters, Knob, Value, Watch, unwatched
from synth_worker.privacy.accounting import rho_of
from synth_worker.reading import read_table
from synth_worker.schema import Schema
from synth_worker.table import Floats, Table
from tests.cli.made import patients


def public_schema(rows: int = 400) -> Schema:
    """Return the schema of the made-up hospital with bounds and categories declared public."""
    found = read_table(patients(rows)).schema
    return found.having(replace(column, public=True) for column in found)


@dataclass(frozen=True)
class Told:
    """Hold what a scripted method says of its model."""

    rows: int
    spent: tuple[tuple[str, float], ...]
    delta: float
    private: bool


class Scripted:
    """Hand the training rows out again and claim to have spent ``share`` of what it may: no method at all."""

    def __init__(self, hyperparameters: Hyperparameters, *, share: float = 1.0, private: bool = True) -> None:
        self.hyperparameters = dict(hyperparameters)
        self._share, self._private = share, private
        self._table: Table | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        self._table = train
        return self

    @property
    def model(self) -> Told:
        assert self._table is not None
        epsilon, delta = (float(self.hyperparameters[name]) for name in ("epsilon", "delta"))
        return Told(self._table.rows, (("all", self._share * rho_of(epsilon, delta=delta)),), 0.0, self._private)

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        assert self._table is not None
        return self._table.take(rng.integers(0, self._table.rows, rows))

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text("{}", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise NotImplementedError

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        return None


KNOBS = (Knob("epsilon", 1.0), Knob("delta", 1e-6))


def spec(name: str, *, guarantee: str = "scripted", share: float = 1.0, private: bool = True) -> GeneratorSpec:
    """Return the spec of a scripted method."""
    return GeneratorSpec(
        name=name,
        title=name,
        build=lambda knobs: Scripted(knobs, share=share, private=private),
        load=Scripted.load,
        knobs=KNOBS,
        guarantee=guarantee,
    )
