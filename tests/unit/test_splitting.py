"""Promises of the split: fixed by the data alone, stratified, units together, equal rows apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.splitting import folds, key_of, split
from synth_worker.table import Table, row_hashes
from tests.tables import adult_like, discrete

KEY = key_of("ab" * 32)


def test_shares_and_disjointness() -> None:
    table = adult_like(4000)
    own = split(table, key=KEY, certified=True)
    assert own.certificate is not None
    assert (own.train.rows, own.validation.rows, own.certificate.rows) == (2800, 600, 600)
    together = np.concatenate([own.train_rows, own.validation_rows, own.certificate_rows])
    assert sorted(together) == list(range(4000))


def test_the_same_key_gives_the_same_split_and_another_key_another() -> None:
    table = adult_like(500)
    one, two = split(table, key=KEY, certified=True), split(table, key=KEY, certified=True)
    other = split(table, key=key_of("cd" * 32), certified=True)
    assert (one.train_rows == two.train_rows).all()
    assert set(one.train_rows) != set(other.train_rows)


def test_row_order_does_not_matter() -> None:
    table = adult_like(600)
    order = np.random.default_rng(0).permutation(600)
    one = split(table, key=KEY, certified=True)
    two = split(table.take(order), key=KEY, certified=True)
    assert set(row_hashes(one.train)) == set(row_hashes(two.train))


def test_stratified_by_target() -> None:
    table = adult_like(3000)
    own = split(table, key=KEY, certified=True, target="income")
    assert own.certificate is not None
    shares = [(part.codes("income") == 1).mean() for part in (own.train, own.validation, own.certificate)]
    assert max(shares) - min(shares) < 0.005


def test_equal_rows_are_not_kept_together() -> None:
    table = discrete(4000)
    own = split(table, key=KEY, certified=True)
    shared = np.isin(row_hashes(own.train), row_hashes(own.validation))
    assert shared.mean() > 0.05


def test_a_persons_rows_stay_together() -> None:
    table = adult_like(900)
    units = np.repeat(np.arange(300), 3)
    own = split(Table(table.schema, table.frame, units), key=KEY, certified=True)
    assert not set(units[own.train_rows]) & set(units[own.validation_rows])
    assert not set(units[own.train_rows]) & set(units[own.certificate_rows])


def test_each_row_is_held_out_once() -> None:
    parts = folds(adult_like(303), key=KEY)
    held = np.concatenate([part.held for part in parts])
    assert sorted(held) == list(range(303))
    assert all(len(set(part.used) & set(part.held)) == 0 for part in parts)
    assert max(len(part.held) for part in parts) - min(len(part.held) for part in parts) <= 1


def test_train_domain_comes_from_train_alone() -> None:
    table = adult_like(400)
    own = split(table, key=KEY, certified=True)
    for column in own.train.schema:
        if column.categories:
            assert set(np.unique(own.train.codes(column.name))) - {-1} == set(range(len(column.categories)))


def test_a_public_domain_stays() -> None:
    table = adult_like(400)
    public = replace(table.schema["country"], public=True)
    declared = Table(table.schema.with_column(public), table.frame)
    assert split(declared, key=KEY, certified=True).train.schema["country"].categories == public.categories


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(30, 300), certified=st.booleans())
def test_every_row_has_one_role(rows: int, certified: bool) -> None:
    own = split(adult_like(rows), key=KEY, certified=certified, target="income")
    together = [*own.train_rows, *own.validation_rows, *own.certificate_rows]
    assert sorted(together) == list(range(rows))
