"""Make a table in which no two columns have anything to do with each other, and three do: what pairs cannot tell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table

ROWS, WRONG = 80_000, 0.05
ABOUT = (
    "Made: six columns of two labels, the third and the sixth the parity of the two before them save in 5 % of the "
    "rows, and one of four labels that has to do with none."
)


def parity(rows: int = ROWS) -> Table:
    """Return the table; it is the same every time."""
    rng = np.random.default_rng(0)
    own: dict[str, np.ndarray] = {}
    for one, two, three in ("abc", "def"):
        own[one], own[two] = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
        own[three] = (own[one] ^ own[two]) ^ (rng.random(rows) < WRONG)
    own["g"] = rng.integers(0, 4, rows)
    names = {name: ("p", "q", "r", "s") if name == "g" else ("no", "yes") for name in own}
    schema = Schema(tuple(Column(name, Kind.CATEGORICAL, categories=names[name], public=True) for name in own))
    frame = {name: pd.Categorical.from_codes(codes, categories=list(names[name])) for name, codes in own.items()}
    return Table(schema, pd.DataFrame(frame))
