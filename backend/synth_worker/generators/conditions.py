"""Check what a sample is conditioned on, and bring it into the table's own terms."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping

from synth_worker.errors import BadInput, UnknownName
from synth_worker.generators.base import Value
from synth_worker.schema import Column, Kind, Schema


def resolve(given: Mapping[str, Value] | None, schema: Schema) -> dict[str, float]:
    """Return the fixed columns: the code of a label, a number, or seconds since 1970, as floats.

    Raises UnknownName for a column that is not there, BadInput for a value outside its domain.

    >>> sex = Column("sex", Kind.CATEGORICAL, categories=("f", "m"))
    >>> resolve({"sex": "m"}, Schema((sex,)))
    {'sex': 1.0}
    """
    return {name: _resolved(value, schema[name]) for name, value in (given or {}).items()}


def _resolved(value: Value, column: Column) -> float:
    if column.kind is Kind.CATEGORICAL:
        label = str(value)
        if label not in column.categories:
            raise UnknownName.of("category", value, column.categories, whole=f"column {column.name!r}")
        return float(column.categories.index(label))
    number = _instant(value, column) if column.kind is Kind.DATETIME else _number(value, column)
    low, high = column.low, column.high
    if (low is not None and number < low) or (high is not None and number > high) or math.isnan(number):
        raise BadInput(
            f"column {column.name!r} cannot be {value!r}: its values lie between {low} and {high}",
            hint="give a value within the range",
        )
    if column.decimals is not None and round(number, column.decimals) != number:
        raise BadInput(f"column {column.name!r} has {column.decimals} decimals; {value!r} has more", hint="round it")
    return number


def _number(value: Value, column: Column) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise BadInput(f"column {column.name!r} is numeric; {value!r} is not a number") from error


def _instant(value: Value, column: Column) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError as error:
        raise BadInput(f"column {column.name!r} holds dates; {value!r} is not one", hint="write 2023-01-31") from error
    return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
