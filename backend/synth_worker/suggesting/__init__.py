"""Suggest the constraints that hold in all rows of a table, where chance would have broken them.

A suggestion is never kept by itself: a person moves it into ``constraints``. Each kind has its own test of chance, so
that few suggestions are false: a rule is named only where at least ``EXPECTED`` rows would break it if the columns
had nothing to do with each other, and none does.
"""

from __future__ import annotations

from synth_worker.constraints import Constraint, Rule
from synth_worker.suggesting import combinations, orders, sums, unique
from synth_worker.suggesting.evidence import LEAST_ROWS
from synth_worker.table import Table


def suggest(table: Table) -> tuple[Constraint, ...]:
    """Return the constraints that the table keeps in all rows with evidence, leaving out those its schema states.

    >>> import numpy as np, pandas as pd
    >>> from synth_worker.schema import Column, Kind, Schema
    >>> first = np.random.default_rng(0).integers(0, 50, 400).astype(float)
    >>> frame = pd.DataFrame({"start": first, "end": first + np.random.default_rng(1).integers(0, 9, 400)})
    >>> schema = Schema(tuple(Column(name, Kind.NUMERIC, dtype="int64", decimals=0) for name in frame))
    >>> [one.words for one in suggest(Table(schema, frame))]
    ['start <= end']
    """
    own = table.modelled()
    if own.rows < LEAST_ROWS:
        return ()
    added = sums.find(own)
    found = [*combinations.find(own), *added, *orders.find(own, sums=added), *unique.find(own)]
    return tuple(one for one in found if not any(_follows(one, stated) for stated in table.schema.constraints))


def _follows(one: Constraint, stated: Constraint) -> bool:
    """Tell whether a suggestion says no more than a stated constraint does."""
    if one.rule is not stated.rule:
        return False
    if one.rule is Rule.ORDER:
        places = [stated.columns.index(name) for name in one.columns if name in stated.columns]
        return len(places) == len(one.columns) and places == sorted(places)
    if one.rule is Rule.UNIQUE:
        return set(stated.columns) <= set(one.columns)
    return set(one.columns) <= set(stated.columns)


def sentences(table: Table) -> tuple[str, ...]:
    """Return what a run's notes say of constraints: those it keeps, and those that hold but are not stated."""
    kept = [f"kept in every row, as the schema states: {one.words}" for one in table.schema.constraints]
    open_ = [
        f"holds in all rows, but is not stated as a constraint: {one.words} ({one.note}); to have it kept, put it "
        "under 'constraints' in the schema"
        for one in suggest(table)
    ]
    return (*kept, *open_)
