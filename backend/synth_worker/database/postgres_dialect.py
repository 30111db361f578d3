"""Spell SQL for PostgreSQL, of the version 12 on."""

from __future__ import annotations

from synth_worker.database.dialect import LONGEST_NUMBER, NUMBER, Dialect, Family, family_of

LARGEST = "1.7976931348623157e308"
SMALLEST = "1e-307"


def _text(value: str, declared: str) -> str:
    plain = f"CAST({value} AS text)"
    if family_of(declared) is Family.REAL:
        whole = f"abs({value}) < 1e18 AND {value} = trunc({value})"
        plain = f"CASE WHEN {whole} THEN CAST(CAST({value} AS bigint) AS text) ELSE {plain} END"
    return f'({plain} COLLATE "C")'


def _of_exact(value: str) -> str:
    """Return a numeric as a double: PostgreSQL's own cast fails beyond the range of doubles."""
    return (
        f"CASE WHEN {value} = 'NaN' THEN NULL "
        f"WHEN abs({value}) > {LARGEST} THEN CASE WHEN {value} > 0 THEN CAST('Infinity' AS double precision) "
        f"ELSE CAST('-Infinity' AS double precision) END "
        f"WHEN abs({value}) < {SMALLEST} THEN 0 ELSE CAST({value} AS double precision) END"
    )


def _number(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.REAL:
            return f"CASE WHEN {value} = 'NaN' THEN NULL ELSE CAST({value} AS double precision) END"
        case Family.WHOLE:
            return f"CAST({value} AS double precision)"
        case Family.EXACT:
            return _of_exact(value)
        case Family.BOOLEAN:
            return f"CAST(CASE WHEN {value} THEN 1 WHEN NOT {value} THEN 0 END AS double precision)"
        case Family.DATE | Family.TIMESTAMP | Family.INSTANT:
            return f"CASE WHEN isfinite({value}) THEN CAST(extract(epoch FROM {value}) AS double precision) END"
        case Family.TIME:
            return f"CAST(extract(epoch FROM {value}) AS double precision)"
        case _:
            text = f'(CAST({value} AS text) COLLATE "C")'
            number = f"length({text}) <= {LONGEST_NUMBER} AND {text} ~ '^({NUMBER})$'"
            return f"CASE WHEN {number} THEN {_of_exact(f'CAST({text} AS numeric)')} END"


def _comparable(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.REAL:
            return _number(value, declared)
        case Family.EXACT:
            return f"NULLIF({value}, 'NaN')"
        case Family.TEXT | Family.OTHER:
            return _text(value, declared)
        case _:
            return value


def _hashed(text: str, key: str) -> str:
    message = f"CAST({key} AS text) || '|' || {text}"
    return f"(encode(sha256(convert_to({message}, 'UTF8')), 'hex') COLLATE \"C\")"


def _uniform(text: str, key: str) -> str:
    bits = f"CAST('x' || substr({_hashed(text, key)}, 1, 13) AS bit(52))"
    return f"(CAST(CAST({bits} AS bigint) AS double precision) / 4503599627370496)"


DIALECT = Dialect(
    name="postgres",
    grouping_sets=True,
    text=_text,
    number=_number,
    comparable=_comparable,
    hashed=_hashed,
    uniform=_uniform,
    unnests=True,
    fence=" OFFSET 0",
)
