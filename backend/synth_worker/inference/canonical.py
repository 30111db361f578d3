"""Build the columns of a canonical frame (see ``table``) from distinct values and codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synth_worker.inference.raw import Raw
from synth_worker.inference.texts import spread
from synth_worker.table import Floats, Ints


def numbers(values: Floats, codes: Ints) -> pd.Series:
    """Return the number of each row, float64, shape (rows,); code -1 gives NaN."""
    return pd.Series(np.append(values, np.nan)[codes])


def labels(label_of_text: Ints, codes: Ints, categories: Sequence[str]) -> pd.Series:
    """Return the categorical of each row; ``label_of_text`` places each distinct text among the categories."""
    placed = np.append(label_of_text, -1)[codes]
    index = pd.Index(list(categories), dtype=object)
    return pd.Series(pd.Categorical.from_codes(placed, categories=index))


def strings(raw: Raw) -> pd.Series:
    """Return the text of each row as an object column, shape (rows,); absent values are None."""
    return pd.Series(spread(raw.texts, raw.codes).to_numpy(zero_copy_only=False), dtype=object)


def bounds(values: Floats) -> tuple[float | None, float | None]:
    """Return the smallest and the largest value, or two Nones where there is none."""
    seen = values[~np.isnan(values)]
    return (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
