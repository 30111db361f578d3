"""Draw a private table from a database: noised counts come out of it, never a row."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np

from synth_worker.database.source import DatabaseSource
from synth_worker.generators.base import Watch, unwatched
from synth_worker.generators.mst import Mst
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop_dp import check_learnt, cost_of, knobs_of
from synth_worker.privacy.budget import Cost
from synth_worker.privacy.noise import NoiseSource
from synth_worker.private_run import PrivateAsk
from synth_worker.query.config import QueryConfig
from synth_worker.schema import Schema
from synth_worker.table import Table

METHOD = "mst"
MOST_ROWS = 10_000_000
"""Rows that are drawn at most: a count that is mostly noise may be of any size."""


@dataclass(frozen=True, eq=False)
class Synthesised:
    """Hold a drawn table and what was measured for it, with the rho of each."""

    table: Table
    measured: tuple[tuple[str, float], ...]


def ask_of(config: QueryConfig) -> PrivateAsk:
    """Return the request in the terms of a private run. Raises BadInput for figures that cannot be."""
    return PrivateAsk(
        METHOD,
        float(config.dp_epsilon or 0),
        config.delta,
        privacy_unit=config.unit,
        max_rows_per_unit=config.max_rows_per_unit,
    )


def cost(config: QueryConfig, schema: Schema) -> Cost:
    """Return what a synthesis costs: of delta only what is needed to find categories."""
    return cost_of(ask_of(config), schema)


def synthesise(
    source: DatabaseSource,
    config: QueryConfig,
    schema: Schema,
    *,
    noise: NoiseSource | None = None,
    watch: Watch = unwatched,
) -> Synthesised:
    """Learn from counts and draw as many rows as the noised count says, at most ``limit``; it has been charged.

    Raises TrainingFailed where the noise was scripted or more was spent than was charged.
    """
    share = cost(config, schema)
    spec = GENERATORS[METHOD]
    generator = Mst({**spec.defaults(), **knobs_of(spec, ask_of(config), share)}, noise=noise)
    generator.fit_source(source, schema, watch=watch)
    check_learnt(generator.model, share)
    rows = min(MOST_ROWS if config.limit is None else config.limit, generator.model.rows, MOST_ROWS)
    table = generator.sample(rows, rng=np.random.default_rng(secrets.randbits(128)))
    return Synthesised(table, tuple(generator.model.spent))
