"""Find columns that follow from another one without exception, and look their values up instead of drawing them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth_worker.encoding.labels import LabelCodec
from synth_worker.encoding.numbers import NumberCodec
from synth_worker.table import Floats, Ints

Codec = NumberCodec | LabelCodec

LEVELS_MOST = 0.1
BROKEN_LEAST = 20.0
FIRST_LOOK = 10_000
"""Rows that are looked at first: a rule that they break need not be checked on the rest."""


def source_of(target: Ints, earlier: Sequence[Ints]) -> int | None:
    """Return which earlier column determines ``target`` (codes from 0, shape (rows,)), or None.

    It must do so without exception, with few enough levels, and where chance would have broken the rule: at least
    twenty rows are expected to differ from their level's most frequent value if the two were independent.
    """
    rows = len(target)
    share = np.bincount(target) / max(rows, 1)
    if share.max() == 1.0:
        return None
    for at, source in enumerate(earlier):
        levels, width = int(source.max()) + 1, int(target.max()) + 1
        if _broken(source[:FIRST_LOOK], target[:FIRST_LOOK], width):
            continue
        used = np.bincount(source, minlength=levels)
        if (used > 0).sum() > LEVELS_MOST * rows:
            continue
        pairs = np.unique(source * width + target)
        repeated = used[used >= 2]
        if len(pairs) == (used > 0).sum() and (repeated - 1).sum() * (1 - share.max()) >= BROKEN_LEAST:
            return at
    return None


def _broken(source: Ints, target: Ints, width: int) -> bool:
    """Tell whether one value of the source goes with two of the target."""
    return len(np.unique(source * width + target)) > len(np.unique(source))


def levels(codec: Codec, values: Floats) -> Ints:
    """Number the distinct values of a column, missing first; a value between two knots counts as the lower one."""
    if isinstance(codec, NumberCodec):
        return np.where(np.isnan(values), 0, np.searchsorted(codec.knots, values, side="right"))
    return values.astype(np.int64) + 1


def lookup(codec: Codec, values: Floats, target: Floats) -> Floats:
    """Return the target's value for each level of a source; both are columns of values, shape (rows,)."""
    size = (len(codec.knots) if isinstance(codec, NumberCodec) else len(codec.state_of)) + 1
    found = np.full(size, target[0])
    found[levels(codec, values)] = target
    return found
