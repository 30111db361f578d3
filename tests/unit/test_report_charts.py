"""Promises of the charts: any borders that a column can have make a picture of numbers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synth_worker.report.charts import histogram
from synth_worker.report.parts import Shares

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def drawn(edges: list[float]) -> str:
    cells = len(edges) + 1
    shares = Shares((), (1 / cells,) * cells, (0.0,) * (cells - 1) + (1.0,), tuple(edges), ("0",) * len(edges))
    return str(histogram(shares, title="x"))


@given(st.lists(FINITE, min_size=1, max_size=12, unique=True).map(sorted))
@example([1e300])
@example([-1.7e308, 1.7e308])
@example([0.0, 5e-324, 1e10])
@example([2.0**60, 2.0**60 + 256])
def test_any_borders_make_a_picture_of_numbers(edges: list[float]) -> None:
    picture = drawn(edges)
    assert not re.search(r"nan|inf", picture)
    numbers = [float(one) for one in re.findall(r"(?<=[HV])-?[0-9.e+-]+", picture)]
    assert numbers
    assert all(math.isfinite(one) for one in numbers)


@pytest.mark.parametrize("factor", [1.0, 1e-200, 1e200])
def test_the_picture_does_not_depend_on_the_unit(factor: float) -> None:
    assert drawn([one * factor for one in (1.0, 2.0, 3.0, 5.0)]) == drawn([1.0, 2.0, 3.0, 5.0])
