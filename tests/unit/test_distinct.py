"""Compare what sorting tells of whole numbers with what numpy's own functions tell."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from synth_worker.distinct import among, count_distinct

numbers = st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)), max_size=30).map(
    lambda own: np.array(own, dtype=np.int64)
)


@given(numbers, numbers)
def test_sorting_tells_what_hashing_tells(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_array_equal(among(one, other), np.isin(one, other))
    assert count_distinct(one) == len(np.unique(one))
