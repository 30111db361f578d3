"""Choose the records to attack: those whose exact content occurs once among all real rows, one per person.

A record that others share cannot be told from theirs, so only pool-unique ones challenge an attacker. Uniqueness is
counted over all real rows alike, which leaves members and non-members exchangeable under no leak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.distinct import among
from synth_worker.metrics.attack_space import Space
from synth_worker.metrics.base import Comparison
from synth_worker.table import Bools, Floats, Ints, Table, row_hashes

MOST = 5_000
MOST_QUICK = 2_000
LEAST_UNIQUE = 30
"""Below this many pool-unique records on a side all records are attacked: diluted, but still a fair test."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Hold what each row says, as a hash, and which real rows no other real row equals."""

    train: Ints
    held: Ints
    synthetic: Ints
    train_unique: Bools
    held_unique: Bools

    @property
    def unique_share(self) -> float:
        """Return the share of real rows that are pool-unique."""
        return float(np.concatenate([self.train_unique, self.held_unique]).mean())


def contents(comparison: Comparison) -> Contents:
    """Hash all rows; ``held`` are the holdout rows and then the reference rows, both unseen by the generator."""
    held = [comparison.holdout] if comparison.reference is None else [comparison.holdout, comparison.reference]
    train = _hashes(comparison.train)
    others = np.concatenate([_hashes(table) for table in held])
    _, place, counts = np.unique(np.concatenate([train, others]), return_inverse=True, return_counts=True)
    unique = counts[place] == 1
    return Contents(train, others, _hashes(comparison.synthetic), unique[: len(train)], unique[len(train) :])


@dataclass(frozen=True, eq=False)
class Challenge:
    """Hold the records under attack by position: ``members`` in train, ``nonmembers`` in holdout.

    ``exact`` tells which of them (members first) stand in the synthetic table word for word. ``unique_share`` is the
    share of real rows that are pool-unique; ``diluted`` says that too few were, so that all rows are attacked.
    """

    members: Ints
    nonmembers: Ints
    exact: Bools
    unique_share: float
    diluted: bool

    @property
    def rows(self) -> int:
        """Return how many records are attacked."""
        return len(self.members) + len(self.nonmembers)


def draw_challenge(comparison: Comparison, *, found: Contents | None = None) -> Challenge:
    """Draw at most ``MOST`` (quick: ``MOST_QUICK``) members and as many non-members."""
    found = comparison.once(contents) if found is None else found
    most = MOST_QUICK if comparison.quick else MOST
    rows = comparison.holdout.rows
    sides = (
        (comparison.train, found.train_unique, found.train, "members"),
        (comparison.holdout, found.held_unique[:rows], found.held[:rows], "nonmembers"),
    )
    diluted = any(int(unique.sum()) < LEAST_UNIQUE for _, unique, _, _ in sides)
    chosen: list[Ints] = []
    exact: list[Bools] = []
    for table, unique, hashes, label in sides:
        eligible = np.arange(table.rows) if diluted else np.flatnonzero(unique)
        own = one_per_unit(table, eligible, rng=comparison.streams.rng("challenge", label, "units"))
        if len(own) > most:
            own = np.sort(comparison.streams.rng("challenge", label).choice(own, most, replace=False))
        chosen.append(own)
        exact.append(among(hashes[own], found.synthetic))
    return Challenge(chosen[0], chosen[1], np.concatenate(exact), found.unique_share, diluted)


def one_per_unit(table: Table, rows: Ints, *, rng: np.random.Generator) -> Ints:
    """Return one random row of each unit, ascending: then records are independent and need no clustered variance."""
    if table.units is None:
        return rows
    order = rng.permutation(rows)
    _, first = np.unique(table.units[order], return_index=True)
    return np.sort(order[first])


def sample_rows(table: Table, *, most: int, rng: np.random.Generator) -> Ints:
    """Return at most ``most`` random rows, one per unit, ascending."""
    own = one_per_unit(table, np.arange(table.rows), rng=rng)
    return own if len(own) <= most else np.sort(rng.choice(own, most, replace=False))


def unit_numbers(*tables: Table) -> Ints | None:
    """Return the unit of each row of the tables in turn, numbered from 0, or None where no table has units.

    Rows of a table without units are units of their own, apart from the other tables' ones.
    """
    if all(table.units is None for table in tables):
        return None
    labels: list[Ints] = []
    free = max((int(table.units.max(initial=0)) for table in tables if table.units is not None), default=0) + 1
    for table in tables:
        if table.units is None:
            labels.append(np.arange(free, free + table.rows))
            free += table.rows
        else:
            labels.append(table.units)
    return np.unique(np.concatenate(labels), return_inverse=True)[1].astype(np.int64)


def sum_by(values: Floats, numbers: Ints) -> Floats:
    """Return the sum of ``values`` by group number, shape (groups,)."""
    return np.bincount(numbers, weights=values).astype(np.float64)


def synthetic_space(comparison: Comparison) -> Space:
    """Fit the space in which distances are measured on synthetic rows alone: it stands as near to either real side."""
    return Space.fit([comparison.synthetic])


def _hashes(table: Table) -> Ints:
    # A signed view: the bits are all that counts, and one integer type serves all arrays.
    return row_hashes(table).view(np.int64)
