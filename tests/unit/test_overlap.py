"""A holdout that repeats training rows is refused or told; rows that repeat by chance are left alone."""

from __future__ import annotations

import pytest

from synth_worker.errors import BadInput
from synth_worker.overlap import check_apart, repeated_share
from tests.tables import adult_like, discrete


def test_the_same_rows_are_refused_and_fresh_ones_pass() -> None:
    train, fresh = adult_like(400, seed=1), adult_like(200, seed=2)
    assert check_apart(train, fresh) == ()
    with pytest.raises(BadInput, match="400 of 400 holdout rows also stand in train"):
        check_apart(train, train)


def test_some_shared_rows_are_told() -> None:
    whole = adult_like(400, seed=1)
    (note,) = check_apart(whole.take(range(300)), whole.take(range(270, 400)))
    assert note.startswith("30 of 130 holdout rows")


def test_a_table_of_few_combinations_may_share_all_its_rows() -> None:
    few = discrete(600, seed=1).modelled()
    narrow = few.take([place % 20 for place in range(600)])
    assert repeated_share(narrow) == 1.0
    assert check_apart(narrow, narrow.take(range(100))) == ()
