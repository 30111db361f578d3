"""Turn codecs into named arrays and back, checking what comes back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from synth_worker.encoding.labels import LabelCodec
from synth_worker.encoding.numbers import NumberCodec
from synth_worker.errors import BadModel

Array = NDArray[np.generic]


def number_arrays(codec: NumberCodec, name: str) -> dict[str, Array]:
    """Return the arrays of a number codec, their names beginning with ``name``."""
    decimals = np.nan if codec.decimals is None else codec.decimals
    return {
        f"{name}.knots": codec.knots,
        f"{name}.counts": codec.counts,
        f"{name}.atom": codec.atom,
        f"{name}.form": np.array([codec.unit, decimals, codec.low, codec.high], dtype=np.float64),
    }


def restore_numbers(arrays: Mapping[str, Array], name: str) -> NumberCodec:
    """Build a number codec from its arrays. Raises BadModel where they do not fit together."""
    knots = _part(arrays, f"{name}.knots", np.float64).astype(np.float64)
    counts = _part(arrays, f"{name}.counts", np.int64).astype(np.int64)
    atom = _part(arrays, f"{name}.atom", np.bool_).astype(np.bool_)
    form = _part(arrays, f"{name}.form", np.float64).astype(np.float64)
    sound = len(knots) == len(counts) == len(atom) and len(form) == 4
    if not sound or not np.isfinite(knots).all() or (np.diff(knots) <= 0).any() or (counts < 1).any():
        raise BadModel(f"the model's arrays {name!r} are no distribution", hint="fit it again")
    unit, places, low, high = (float(one) for one in form)
    if counts.sum() > 2**31 or not np.isfinite([unit, low, high]).all() or low > high:
        raise BadModel(f"the model's arrays {name!r} are no distribution", hint="fit it again")
    return NumberCodec(knots, counts, atom, unit, None if np.isnan(places) else int(places), low, high)


def label_arrays(codec: LabelCodec, name: str) -> dict[str, Array]:
    """Return the arrays of a label codec, their names beginning with ``name``."""
    return {f"{name}.state_of": codec.state_of, f"{name}.label_counts": codec.counts}


def restore_labels(arrays: Mapping[str, Array], name: str, *, levels: int) -> LabelCodec:
    """Build a label codec from its arrays. Raises BadModel where they do not fit together."""
    state_of = _part(arrays, f"{name}.state_of", np.int64).astype(np.int64)
    counts = _part(arrays, f"{name}.label_counts", np.int64).astype(np.int64)
    if len(state_of) != levels or len(counts) != levels or (state_of < 0).any() or (state_of >= max(levels, 1)).any():
        raise BadModel(f"the model's arrays {name!r} do not fit the column's labels", hint="fit it again")
    return LabelCodec(state_of, counts)


def _part(arrays: Mapping[str, Array], name: str, dtype: type[np.generic]) -> Array:
    found = arrays.get(name)
    if found is None or found.ndim != 1 or found.dtype != dtype:
        raise BadModel(f"the model has no array {name!r} of the right kind", hint="fit it again")
    return found
