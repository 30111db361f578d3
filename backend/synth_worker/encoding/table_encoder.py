"""Turn a table into what a network learns: a state for every cell, and a normal score for every number.

A label's states are its own or its group's (``labels``); a number's are *body*, one for each point mass, and missing.
A body value is known by its normal score, the normal quantile of its rank, uniform within a run of equal values: so any
marginal becomes normal, and comes back exactly. Columns that follow from another one are looked up, not learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from synth_worker.encoding.determined import Codec, levels, lookup, source_of
from synth_worker.encoding.direction import widen
from synth_worker.encoding.labels import fit_labels
from synth_worker.encoding.numbers import BODY, NumberCodec, fit_numbers
from synth_worker.errors import BadInput
from synth_worker.schema import Schema
from synth_worker.table import Floats, Ints, Table

RARE = 5
"""A label of fewer training rows shares a state with others."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Hold a table as states, shape (rows, free columns), and normal scores, shape (rows, number columns).

    A score is 0 where the state is not *body*.
    """

    states: Ints
    scores: Scores

    def take(self, rows: Ints) -> Encoded:
        """Return these rows."""
        return Encoded(self.states[rows], self.scores[rows])


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """Hold a codec for each column of the schema, and which columns are learnt (``free``, places in the schema).

    ``sources`` maps the place of a column that follows from another one to that one's place, ``lookups`` to its value
    for each level of the source. ``counts`` says for each free column how often each state occurred, missing last.
    """

    schema: Schema
    codecs: tuple[Codec, ...]
    sources: Mapping[int, int]
    lookups: Mapping[int, Floats]
    counts: tuple[Ints, ...]

    @cached_property
    def free(self) -> tuple[int, ...]:
        """Return the places of the learnt columns in the schema."""
        return tuple(at for at in range(len(self.schema)) if at not in self.sources)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Return which free columns have a body, as places among the free ones."""
        return tuple(place for place, at in enumerate(self.free) if isinstance(self.codecs[at], NumberCodec))

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Return how many states each free column has, missing included."""
        return tuple(len(one) for one in self.counts)

    def encode(self, table: Table, *, rng: np.random.Generator) -> Encoded:
        """Return the states and scores of a table of this schema; ties are broken at random."""
        columns = [_column(table, at) for at in self.free]
        return self.encode_columns(columns, rows=table.rows, rng=rng)

    def encode_columns(self, columns: Sequence[Floats], *, rows: int, rng: np.random.Generator) -> Encoded:
        """Return the states and scores of the free columns, given as numbers or codes of labels (missing -1)."""
        states = np.zeros((rows, len(self.free)), dtype=np.int64)
        scores = np.zeros((rows, len(self.numbers)), dtype=np.float32)
        for place, (at, values) in enumerate(zip(self.free, columns, strict=True)):
            states[:, place] = self._states(at, place, values)
        for number, place in enumerate(self.numbers):
            codec = self.codecs[self.free[place]]
            assert isinstance(codec, NumberCodec)  # noqa: S101 - what ``numbers`` means
            places = codec.places(columns[place], rng)
            body = states[:, place] == BODY
            scores[:, number] = np.where(body, _normal(places, codec.size), 0.0)
        return Encoded(states, scores)

    def decode(self, encoded: Encoded, *, rng: np.random.Generator) -> list[Floats]:
        """Return one array per column of the schema: numbers, or codes of labels (missing -1) as floats."""
        found: dict[int, Floats] = {}
        which = {place: number for number, place in enumerate(self.numbers)}
        for place, at in enumerate(self.free):
            codec = self.codecs[at]
            states = encoded.states[:, place]
            signed = np.where(states == self.widths[place] - 1, -1, states)
            if isinstance(codec, NumberCodec):
                places = ndtr(encoded.scores[:, which[place]].astype(np.float64)) * codec.size
                found[at] = codec.values(signed, places)
            else:
                found[at] = codec.codes(signed, rng.random(len(signed))).astype(np.float64)
        for at, source in self.sources.items():
            found[at] = self.lookups[at][levels(self.codecs[source], found[source])]
        return [found[at] for at in range(len(self.schema))]

    def fixed(self, given: Mapping[str, float], *, rows: int, rng: np.random.Generator) -> dict[int, Floats]:
        """Return given values (codes for labels) as values of free columns: place among these -> shape (rows,).

        A column that follows from another one is given by drawing, for each row, a value of the source that goes with
        it, as often as that occurred. Raises BadInput where two given columns contradict each other.
        """
        wanted = {self.schema.names.index(name): np.full(rows, value) for name, value in given.items()}
        while follows := [at for at in wanted if at in self.sources]:
            at = follows[0]
            source, value = self.sources[at], float(wanted.pop(at)[0])
            options, weights = self._options(at, value)
            if source in wanted:
                options, weights = (part[np.isin(options, wanted[source])] for part in (options, weights))
            if not len(options):
                names = self.schema.names
                raise BadInput(
                    f"column {names[at]!r} follows from {names[source]!r} in the real table, and no real row has the "
                    "given value" + (" of both" if source in wanted else ""),
                    hint=f"give {names[source]!r} instead",
                )
            wanted[source] = rng.choice(options, size=rows, p=weights / weights.sum())
        return {self.free.index(at): values for at, values in wanted.items()}

    def _options(self, at: int, value: float) -> tuple[Floats, Floats]:
        """Return the values of a source that go with a value of column ``at``, and how often each occurred."""
        source = self.codecs[self.sources[at]]
        fits = self.lookups[at][1:] == value
        if isinstance(source, NumberCodec):
            return source.knots[fits], source.counts[fits].astype(np.float64)
        counts = source.counts.astype(np.float64)
        return np.flatnonzero(fits & (counts > 0)).astype(np.float64), counts[fits & (counts > 0)]

    def _states(self, at: int, place: int, values: Floats) -> Ints:
        codec = self.codecs[at]
        states = codec.states(values) if isinstance(codec, NumberCodec) else codec.states(values.astype(np.int64))
        return np.where(states < 0, self.widths[place] - 1, states)


def fit_encoder(train: Table) -> TableEncoder:
    """Learn codecs, the states that occur, and which columns follow from others.

    >>> from tests.tables import adult_like
    >>> train = adult_like(200, 0).modelled().narrowed()
    >>> encoder = fit_encoder(train)
    >>> made = encoder.encode(train, rng=np.random.default_rng(0))
    >>> made.states.shape[0], made.scores.dtype
    (200, dtype('float32'))
    """
    position = widen(train).principal_direction()
    columns = [_column(train, at) for at in range(len(train.schema))]
    codecs: list[Codec] = []
    for column, values in zip(train.schema, columns, strict=True):
        if column.continuous:
            codecs.append(fit_numbers(values, column))
        else:
            codes = values.astype(np.int64)
            codecs.append(fit_labels(codes, len(column.categories), rare=RARE, position=position))
    sources = _sources(codecs, columns)
    lookups = {at: lookup(codecs[source], columns[source], columns[at]) for at, source in sources.items()}
    free = [at for at in range(len(codecs)) if at not in sources]
    counts = tuple(_counts(codecs[at], columns[at]) for at in free)
    return TableEncoder(train.schema, tuple(codecs), sources, lookups, counts)


def _sources(codecs: Sequence[Codec], columns: Sequence[Floats]) -> dict[int, int]:
    """Return which column each following column follows from; columns of few values are looked at first."""
    own = [levels(codec, values) for codec, values in zip(codecs, columns, strict=True)]
    order = sorted(range(len(own)), key=lambda at: (-len(np.unique(own[at])), at))
    found: dict[int, int] = {}
    for rank, at in enumerate(order):
        # Only a column of at least as many values can determine another; in this order no circle can arise.
        earlier = [other for other in order[:rank] if other not in found]
        source = source_of(own[at], [own[other] for other in earlier])
        if source is not None:
            found[at] = earlier[source]
    return found


def _counts(codec: Codec, values: Floats) -> Ints:
    states = codec.states(values) if isinstance(codec, NumberCodec) else codec.states(values.astype(np.int64))
    width = codec.state_count + 1
    return np.bincount(np.where(states < 0, width - 1, states), minlength=width).astype(np.int64)


def _column(table: Table, at: int) -> Floats:
    column = table.schema.columns[at]
    return table.numbers(column.name) if column.continuous else table.codes(column.name).astype(np.float64)


def _normal(places: Floats, size: int) -> Floats:
    return ndtri(np.clip(places / max(size, 1), 0.25 / max(size, 1), 1 - 0.25 / max(size, 1)))
