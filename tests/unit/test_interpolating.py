"""Curves have heights everywhere: at their knots the knots', between them something between, and never a NaN."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from synth_worker.interpolating import interpolate

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.lists(FLOATS, min_size=1, max_size=12, unique=True), st.lists(FLOATS, max_size=12))
@example([0.0, 5e-324, 3e-313], [1e-313])
@example([-1.7e308, 1.7e308], [0.0, 5e-324])
def test_heights_lie_between_those_of_the_neighbours(knots: list[float], values: list[float]) -> None:
    own = np.unique(np.array(knots) + 0.0)
    heights = np.linspace(0.0, 1.0, len(own)) if len(own) > 1 else np.array([0.5])
    asked = np.array(values + knots)
    found = interpolate(asked, own, heights)
    assert np.isfinite(found).all()
    above = np.clip(np.searchsorted(own, asked), 0, len(own) - 1)
    below = np.clip(np.searchsorted(own, asked, side="right") - 1, 0, len(own) - 1)
    assert (found >= heights[below] - 1e-9).all()
    assert (found <= heights[above] + 1e-9).all()


def test_missing_stays_missing() -> None:
    assert np.isnan(interpolate(np.array([np.nan]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))).all()
