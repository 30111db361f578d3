"""Say whom a request protects: whom the owner of the data has named as a person, else whom the request names."""

from __future__ import annotations

from collections.abc import Mapping

from synth_worker.database.connection import TableName
from synth_worker.errors import QueryRefused

EVERY_TABLE = "*"
"""Stands for all tables that are not named themselves."""


def unit_of(table: str, asked: str, units: Mapping[str, str]) -> str:
    """Return the column of persons of a request that names ``asked`` ("": the unit is a row).

    ``units`` are the owner's, a column for each table. A table without a schema stands for that name in every schema,
    and letters of any case are the same: a request must not get round the owner by spelling. Raises QueryRefused for
    another column than the owner's.

    >>> unit_of("public.stays", "", {"stays": "patient"})
    'patient'
    >>> unit_of("stays", "stay", {"*": "patient"})
    Traceback (most recent call last):
    synth_worker.errors.QueryRefused: the owner protects each person (column 'patient') of 'stays', and ... (...)
    """
    fixed = {column for name, column in units.items() if name != EVERY_TABLE and _same(table, name)}
    if not fixed and EVERY_TABLE in units:
        fixed = {units[EVERY_TABLE]}
    if not fixed:
        return asked
    if len(fixed) > 1:
        raise QueryRefused(
            f"the owner names several columns of persons of {table!r}: {', '.join(sorted(fixed))}",
            hint="name one in GESALP_QUERY_PRIVACY_UNITS",
        )
    (own,) = fixed
    if asked not in ("", own):
        raise QueryRefused(
            f"the owner protects each person (column {own!r}) of {table!r}, and the request would protect each "
            f"{asked!r} instead",
            hint=f"privacy_unit={own!r}, or leave it out; GESALP_QUERY_PRIVACY_UNITS is the owner's to set",
        )
    return own


def _same(asked: str, named: str) -> bool:
    one, two = TableName.parse(asked), TableName.parse(named)
    if one.name.casefold() != two.name.casefold():
        return False
    return None in (one.schema, two.schema) or str(one.schema).casefold() == str(two.schema).casefold()
