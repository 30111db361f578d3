"""Hold a column to a schema that is already there: strictly for the user's table, leniently for one to be judged.

Strictly: a value that does not fit raises UnreadableTable and names its place; bounds and categories that were read
off other data widen, public ones do not. Leniently: a value that does not fit counts as missing, bounds and
categories are the column's own, and a sentence says what broke.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa

from synth_worker.errors import BadSchema, UnreadableTable
from synth_worker.inference import canonical, dates, numbers
from synth_worker.inference.booleans import meaning
from synth_worker.inference.guard import unguarded
from synth_worker.inference.missing import ALWAYS, label_tokens, tokens
from synth_worker.inference.raw import Raw
from synth_worker.inference.texts import example, matches
from synth_worker.schema import Column, Kind
from synth_worker.table import Bools, Floats

Where = Callable[[int], str]
"""Names the place of a row for a person: "line 17"."""


class Coerced(NamedTuple):
    """Hold a column held to a schema: what it means now, its values, and what broke ("" for nothing)."""

    column: Column
    values: pd.Series
    broken: str = ""


def coerce(raw: Raw, column: Column, *, where: Where | None) -> Coerced:
    """Read ``raw`` as ``column`` says; strictly if ``where`` can name a row, else leniently."""
    task = _Task(raw, column, where)
    if column.kind is Kind.NUMERIC:
        return task.numbers()
    if column.kind is Kind.DATETIME:
        return task.dates()
    if column.kind is Kind.CATEGORICAL:
        return task.labels()
    return task.strings()


@dataclass(frozen=True, eq=False)
class _Task:
    raw: Raw
    column: Column
    where: Where | None

    def numbers(self) -> Coerced:
        raw, column = self._present()
        broken: list[str] = []
        comma = column.decimal_comma and raw.native == "text"
        values, ok = numbers.parse(raw.texts, comma=comma)
        if not ok.all() and raw.native == "text":
            other, other_ok = numbers.parse(raw.texts, comma=not comma)
            if other_ok.all():
                values, ok, comma = other, other_ok, not comma
                broken.append(f"the decimal mark is {',' if comma else '.'!r}")
                column = replace(column, decimal_comma=comma) if self.where else column
        broken += self._reject(raw, ~ok, "a number")
        raw, values = raw.without(~ok), values[ok]
        if column.dtype not in ("int64", "float64"):
            look = numbers.look(raw.texts, values, comma=comma)
            column = replace(
                column,
                dtype=look.dtype,
                decimals=look.decimals,
                fixed_decimals=look.fixed_decimals,
                decimal_comma=look.decimal_comma,
                format=look.format,
            )
        column, form = self._number_form(raw, column, values)
        column = self._bounded(raw, column, values)
        return Coerced(column, canonical.numbers(values, raw.codes), _sentence([*broken, *form]))

    def _number_form(self, raw: Raw, column: Column, values: Floats) -> tuple[Column, list[str]]:
        """Compare how the numbers are written with how they should be."""
        if len(values) == 0:
            return column, []
        whole = matches(raw.texts, numbers.INTEGER)
        if column.dtype == "int64":
            fractional = values != np.rint(values)
            if fractional.any() and self.where:
                self._refuse(raw, fractional, "a whole number")
            # a data frame has no other way to hold whole numbers beside missing ones than floats
            forced = raw.native == "floating" and bool((raw.codes < 0).any()) and not fractional.any()
            if not whole.all() and not forced:
                return column, [f"whole numbers are written with decimals, such as {example(raw.texts, ~whole)!r}"]
            return column, []
        if whole.all() and column.format != "g" and raw.native != "duration":
            return column, [f"numbers are written without a decimal point, such as {example(raw.texts, whole)!r}"]
        found = numbers.fewest_decimals(values)
        if column.decimals is None or (found is not None and found <= column.decimals):
            return column, []
        if self.where:
            return replace(column, decimals=found, fixed_decimals=False, format=""), []
        places = f"more than {numbers.MOST_DECIMALS}" if found is None else str(found)
        return column, [f"numbers have {places} decimals where there should be at most {column.decimals}"]

    def dates(self) -> Coerced:
        raw, column = self._present()
        broken: list[str] = []
        found = dates.find(raw.texts) if raw.native in ("date", "datetime") or not column.format else None
        if found is not None:
            seconds = found.seconds
        else:
            seconds = dates.parse(raw.texts, column.format or "%Y-%m-%d")
            if np.isnan(seconds).any():
                found = dates.find(raw.texts)
                if found is not None:
                    seconds = found.seconds
                    broken.append(f"dates are written as {found.format} where they should be {column.format}")
        bad = np.isnan(seconds)
        broken += self._reject(raw, bad, f"a date of the form {column.format or '%Y-%m-%d'}")
        raw, seconds = raw.without(bad), seconds[~bad]
        if not column.format and found is not None:
            column = replace(column, format=found.format, decimals=found.decimals)
        if column.dtype not in ("date", "datetime"):
            days = dates.coarseness(column.format) == 86_400
            column = replace(column, dtype="date" if days else "datetime")
        column = self._bounded(raw, column, seconds)
        return Coerced(column, canonical.numbers(seconds, raw.codes), _sentence(broken))

    def labels(self) -> Coerced:
        raw, column = self.raw, self.column
        if column.dtype in ("date", "datetime"):
            column = replace(column, dtype="string")
        if raw.native == "text" and not raw.source and not column.categories:
            raw = raw.trimmed()
        texts = [str(one) for one in raw.texts.to_pylist()]
        known = {label: label for label in column.categories}
        absent = label_tokens(raw.texts, native_missing=bool((raw.codes < 0).any()))
        counts = raw.counts
        label_of: list[str | None] = []
        odd: list[str] = []
        bad = np.zeros(len(texts), dtype=np.bool_)
        for at, text in enumerate(texts):
            label = known.get(text) or self._same_label(text, known)
            if label is None and not absent[at] and text.strip() != column.missing_token:
                label = unguarded(text.strip() if raw.native == "text" and not raw.source else text)
                bad[at] = counts[at] > 0 and not self._may_join(label, column)
            elif label is not None and label != text and label not in (text.strip(), unguarded(text)):
                odd.append(text)
            label_of.append(None if bad[at] else label)
        broken = self._reject(raw, bad, f"one of its categories{_typed(column)}")
        if odd and not self._forced_float(raw, column):
            broken.append(f"labels are written otherwise, such as {odd[0]!r} for {self._same_label(odd[0], known)!r}")
        column = self._with_categories(column, label_of, counts)
        raw = raw.without(np.fromiter((one is None for one in label_of), dtype=np.bool_, count=len(label_of)))
        place = {label: at for at, label in enumerate(column.categories)}
        placed = np.fromiter((place.get(one, -1) for one in label_of if one is not None), dtype=np.int64)
        column = self._nullable(raw, column)
        return Coerced(column, canonical.labels(placed, raw.codes, column.categories), _sentence(broken))

    def strings(self) -> Coerced:
        raw, column = self._present()
        raw = replace(raw, texts=pa.array([unguarded(str(one)) for one in raw.texts.to_pylist()], pa.large_string()))
        broken = ""
        if column.kind is Kind.CONSTANT:
            broken = self._constancy(raw)
            if not broken and len(raw.texts) and not column.categories:
                column = replace(column, categories=(str(raw.texts[0].as_py()),))
        return Coerced(self._nullable(raw, column), canonical.strings(raw), broken)

    def _constancy(self, raw: Raw) -> str:
        seen = {str(one) for one in raw.texts.to_pylist()}
        wanted = set(self.column.categories)
        absent = bool((raw.codes < 0).any())
        if len(seen) <= 1 and not (seen and absent) and (not wanted or not seen or seen == wanted):
            return ""
        said = f"the column should be constant but holds {len(seen) + absent} different values"
        if self.where and len(seen) + absent > 1:
            raise BadSchema(
                f"column {raw.name!r} is constant in the schema but holds {len(seen) + absent} different values",
                hint="set its kind to categorical, numeric or text",
            )
        return "" if self.where else _sentence([said if len(seen) + absent > 1 else "the constant differs"])

    def _present(self) -> tuple[Raw, Column]:
        """Return the column trimmed and without its missing tokens."""
        raw = self.raw.trimmed() if self.column.continuous or not self.raw.source else self.raw
        own = pa.array([str(one).strip() == self.column.missing_token for one in raw.texts.to_pylist()], pa.bool_())
        return raw.without(tokens(raw.texts) | np.asarray(own, dtype=np.bool_)), self.column

    def _bounded(self, raw: Raw, column: Column, values: Floats) -> Column:
        """Widen the bounds (strictly) or take the column's own (leniently)."""
        low, high = canonical.bounds(values)
        column = self._nullable(raw, column)
        if not self.where:
            return replace(column, low=low, high=high)
        if column.public and low is not None and high is not None:
            below = values < (column.low if column.low is not None else -np.inf)
            above = values > (column.high if column.high is not None else np.inf)
            if (below | above).any():
                self._refuse(raw, below | above, f"within its public bounds {column.low} and {column.high}")
        lows = [one for one in (low, column.low) if one is not None]
        highs = [one for one in (high, column.high) if one is not None]
        return replace(column, low=min(lows, default=None), high=max(highs, default=None))

    def _nullable(self, raw: Raw, column: Column) -> Column:
        missing = bool((raw.codes < 0).any())
        return replace(column, nullable=missing or (column.nullable and self.where is not None))

    def _same_label(self, text: str, known: dict[str, str]) -> str | None:
        """Find the category that is this text but for white space, a guard, or the way a number is written."""
        for variant in (text.strip(), unguarded(text), unguarded(text.strip())):
            if variant in known:
                return variant
        if self.column.dtype == "bool":
            truth = meaning(text)
            return next((one for one in known if truth is not None and meaning(one) is truth), None)
        if self.column.dtype in ("int64", "float64"):
            number = _number(text)
            return next((one for one in known if number is not None and _number(one) == number), None)
        return None

    def _may_join(self, label: str, column: Column) -> bool:
        """Tell whether a new label may become a category."""
        if self.where and column.public and column.categories:
            return False
        if not column.categories:
            return True
        if column.dtype == "bool":
            return False
        number = _number(label)
        if column.dtype == "int64":
            return number is not None and number == np.rint(number)
        return column.dtype != "float64" or number is not None

    def _with_categories(self, column: Column, label_of: list[str | None], counts: np.ndarray) -> Column:
        present = {label for label, count in zip(label_of, counts.tolist(), strict=True) if label is not None and count}
        kept = column.categories if self.where else tuple(one for one in column.categories if one in present)
        numeric = column.dtype in ("int64", "float64") and all(_number(one) is not None for one in present)
        fresh = sorted(present - set(column.categories), key=lambda one: (_number(one) or 0.0, one) if numeric else one)
        if column.dtype != "string" and not column.categories and not numeric:
            column = replace(column, dtype="string")
        return replace(column, categories=(*kept, *fresh))

    def _forced_float(self, raw: Raw, column: Column) -> bool:
        return raw.native == "floating" and column.dtype == "int64" and bool((raw.codes < 0).any())

    def _reject(self, raw: Raw, bad: Bools, what: str) -> list[str]:
        if not bad.any():
            return []
        if self.where:
            self._refuse(raw, bad, what)
        count = int(raw.counts[bad].sum())
        verb = "value is" if count == 1 else "values are"
        return [f"{count} {verb} not {what}, such as {example(raw.texts, bad)!r}; read as missing"]

    def _refuse(self, raw: Raw, bad: Bools, what: str) -> NoReturn:
        rows = [raw.first_row(int(one)) for one in np.flatnonzero(bad)]
        row = min(rows)
        text = str(raw.texts[int(raw.codes[row])].as_py())
        place = self.where(row) if self.where else f"row {row + 1}"
        raise UnreadableTable(
            f"{place}, column {raw.name!r}: {text[:60]!r} is not {what}",
            hint=f"correct the value, or edit column {raw.name!r} in the schema",
        )


def _number(text: str) -> float | None:
    try:
        return float(text) if text.strip().lower() not in ALWAYS else None
    except ValueError:
        return None


def _typed(column: Column) -> str:
    return {"int64": " (whole numbers)", "float64": " (numbers)", "bool": " (true or false)"}.get(column.dtype, "")


def _sentence(parts: list[str]) -> str:
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
