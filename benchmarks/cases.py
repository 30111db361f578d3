"""Make tables whose leak is known, from real rows that were learnt from and real rows that were not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from synth_worker.generators.registry import build
from synth_worker.metrics.power import jittered
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Ints, Table

SHARE = 0.05
MADE_ROWS = 20_000
Make = Callable[[Table, Table, int, np.random.Generator], Table]
"""Make a table of about so many rows from training rows, unseen rows, and a stream of random numbers."""


def made(rows: int = MADE_ROWS) -> Table:
    """Make 15 columns that hang together, with unique rows: ten numbers (two skewed), five labels of 2 to 12 values."""
    rng = np.random.default_rng([7_129, rows])
    factors = rng.normal(size=(rows, 3))
    loads = rng.normal(size=(3, 15)) / np.sqrt(3)
    latent = factors @ loads + 0.6 * rng.normal(size=(rows, 15))
    columns: list[Column] = []
    frame: dict[str, object] = {}
    for place in range(10):
        values = np.exp(0.8 * latent[:, place]) if place >= 8 else latent[:, place]
        columns.append(Column(f"x{place}", Kind.NUMERIC, dtype="float64", decimals=3))
        frame[f"x{place}"] = np.round(values, 3)
    for place, count in enumerate((2, 3, 5, 8, 12)):
        labels = tuple(f"v{one:02d}" for one in range(count))
        edges = np.quantile(latent[:, 10 + place], np.cumsum(np.arange(count, 1, -1)) / np.arange(1, count + 1).sum())
        columns.append(Column(f"c{place}", Kind.CATEGORICAL, categories=labels))
        frame[f"c{place}"] = pd.Categorical.from_codes(np.searchsorted(edges, latent[:, 10 + place]), list(labels))
    return Table(Schema(tuple(columns)), pd.DataFrame(frame))


def joined(one: Table, other: Table) -> Table:
    """Return the rows of both tables, of one domain."""
    return Table(one.schema, pd.concat([one.frame, other.frame], ignore_index=True))


def fresh(_train: Table, others: Table, rows: int, rng: np.random.Generator) -> Table:
    """Return unseen real rows, as many as are wanted or all there are."""
    return others.take(rng.permutation(others.rows)[:rows])


def _mixed(train: Table, others: Table, rows: int, rng: np.random.Generator, *, noisy: bool) -> Table:
    base = fresh(train, others, rows, rng)
    few = round(SHARE * base.rows)
    put = train.take(rng.choice(train.rows, few, replace=False))
    if noisy:
        put = jittered(put, like=train, rng=rng)
    return joined(base.take(np.arange(base.rows - few)), put)


def copies(train: Table, others: Table, rows: int, rng: np.random.Generator) -> Table:
    """Replace 5 % of the fresh rows by training rows."""
    return _mixed(train, others, rows, rng, noisy=False)


def few_jittered(train: Table, others: Table, rows: int, rng: np.random.Generator) -> Table:
    """Replace 5 % of the fresh rows by jittered training rows."""
    return _mixed(train, others, rows, rng, noisy=True)


def all_jittered(train: Table, _others: Table, _rows: int, rng: np.random.Generator) -> Table:
    """Jitter every training row once: half a standard deviation on numbers, 30 % of the labels drawn anew."""
    return jittered(train, like=train, rng=rng)


def trees(train: Table, _others: Table, rows: int, rng: np.random.Generator) -> Table:
    """Draw column by column from trees of one row per leaf, without smoothing: a method that memorises.

    The first column is drawn from its values; each further one from a row of the leaf that the columns drawn before
    lead to. Rows that those columns do not tell apart share a leaf.
    """
    names = train.schema.names
    known = np.column_stack([_code(train, name) for name in names])
    drawn = np.empty((rows, len(names)))
    donors: list[Ints] = []
    for place, name in enumerate(names):
        if place == 0:
            donor = rng.integers(train.rows, size=rows)
        else:
            grower = DecisionTreeRegressor if train.schema[name].continuous else DecisionTreeClassifier
            tree = grower(min_samples_leaf=1, random_state=int(rng.integers(2**31)))
            tree.fit(known[:, :place], known[:, place])
            donor = _one_of(np.asarray(tree.apply(known[:, :place])), np.asarray(tree.apply(drawn[:, :place])), rng)
        drawn[:, place] = known[donor, place]
        donors.append(donor)
    frame = {name: train.frame[name].array.take(donor) for name, donor in zip(names, donors, strict=True)}
    return Table(train.schema, pd.DataFrame(frame))


def _code(table: Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if table.schema[name].continuous:
        return np.nan_to_num(table.numbers(name), nan=-1e9)
    return table.codes(name).astype(np.float64)


def _one_of(leaves: Ints, wanted: Ints, rng: np.random.Generator) -> Ints:
    """Return a random row of each wanted leaf."""
    order = np.argsort(leaves, kind="stable")
    start = np.searchsorted(leaves[order], wanted, side="left")
    end = np.searchsorted(leaves[order], wanted, side="right")
    return order[start + np.floor(rng.random(len(wanted)) * (end - start)).astype(np.int64)]


def faithful(train: Table, _others: Table, rows: int, rng: np.random.Generator) -> Table:
    """Draw from the project's own trees at the faithful end of their knob."""
    own = build("cart", {"privacy": 0.0}).fit(train, rng=rng)
    return own.sample(rows, rng=rng)


CASES: dict[str, Make] = {
    "fresh": fresh,
    "copies": copies,
    "jittered": all_jittered,
    "few_jittered": few_jittered,
    "trees": trees,
    "faithful": faithful,
}
"""``trees``: one row per leaf. ``faithful``: ``cart`` at ``privacy`` 0."""
