"""Turn a table encoder into JSON and named arrays and back, checking what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from synth_worker.encoding.determined import Codec
from synth_worker.encoding.numbers import NumberCodec
from synth_worker.encoding.storing import Array, label_arrays, number_arrays, restore_labels, restore_numbers
from synth_worker.encoding.table_encoder import TableEncoder
from synth_worker.errors import BadModel
from synth_worker.schema import Schema
from synth_worker.table import Floats, Ints


def encoder_arrays(encoder: TableEncoder) -> tuple[list[list[int]], dict[str, Array]]:
    """Return which columns follow from which, and the arrays of an encoder."""
    arrays: dict[str, Array] = {}
    for at, codec in enumerate(encoder.codecs):
        name = f"column{at}"
        arrays |= number_arrays(codec, name) if isinstance(codec, NumberCodec) else label_arrays(codec, name)
    for at, values in encoder.lookups.items():
        arrays[f"column{at}.lookup"] = values
    for place, at in enumerate(encoder.free):
        arrays[f"column{at}.states"] = encoder.counts[place]
    return [[at, source] for at, source in encoder.sources.items()], arrays


def restore_encoder(schema: Schema, sources: Sequence[object], arrays: Mapping[str, Array]) -> TableEncoder:
    """Build an encoder from its parts. Raises BadModel where they do not fit together."""
    codecs: list[Codec] = []
    for at, column in enumerate(schema):
        if column.continuous:
            codecs.append(restore_numbers(arrays, f"column{at}"))
        else:
            codecs.append(restore_labels(arrays, f"column{at}", levels=len(column.categories)))
    follows = _follows(sources, len(schema))
    lookups = {at: _lookup(arrays, at, codecs[source], codecs[at]) for at, source in follows.items()}
    counts: list[Ints] = []
    for at, codec in enumerate(codecs):
        if at in follows:
            continue
        found = arrays.get(f"column{at}.states")
        if found is None or found.dtype != np.int64 or found.shape != (codec.state_count + 1,):
            raise BadModel(f"the model does not say how often the states of column {at} occur", hint="fit it again")
        counts.append(found.astype(np.int64))
    return TableEncoder(schema, tuple(codecs), follows, lookups, tuple(counts))


def _follows(sources: Sequence[object], width: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for one in sources:
        pair = cast("list[object]", one) if isinstance(one, list) else []
        if len(pair) != 2 or not all(type(at) is int and 0 <= at < width for at in pair):
            raise BadModel("the model does not say which columns follow from others", hint="fit it again")
        found[int(str(pair[0]))] = int(str(pair[1]))
    if set(found) & set(found.values()):
        raise BadModel("the model lets a column follow from one that follows itself", hint="fit it again")
    return found


def _lookup(arrays: Mapping[str, Array], at: int, source: Codec, target: Codec) -> Floats:
    found = arrays.get(f"column{at}.lookup")
    size = (len(source.knots) if isinstance(source, NumberCodec) else len(source.state_of)) + 1
    if found is None or found.dtype != np.float64 or found.shape != (size,):
        raise BadModel(f"the model has no values for column {at}, which follows from another one", hint="fit it again")
    values = found.astype(np.float64)
    if not isinstance(target, NumberCodec) and not np.isin(values, np.arange(-1, len(target.state_of))).all():
        raise BadModel(f"the model's values of column {at} are no labels of it", hint="fit it again")
    return values
