"""Make requests that try to smuggle SQL into a database: known attacks, conditions of a grammar, mutations of both."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = "patients"
COLUMNS = {
    "age": "integer",
    "name": "text",
    "born": "date",
    "seen": "timestamp",
    "weight": "double precision",
    "ok": "boolean",
}
CANARY = "cAnArY of the secret table"

DATA: Mapping[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
"""Attacks of the books, and of those who read this code."""

KNOWN = (
    *DATA["conditions"],
    "name = '" + "a" * 5000 + "'",
    "(" * 200 + "age = 1" + ")" * 200,
    "NOT " * 500 + "age = 1",
    " OR ".join(["age = 1"] * 500),
    "age IN (" + ", ".join(["1"] * 1200) + ")",
)
NAMES = (*DATA["tables"], "x" * 300)
FIELDS = (*COLUMNS, *COLUMNS, *DATA["columns"], "a" * 300)
PIECES = tuple(DATA["pieces"])

LIMITS: tuple[object, ...] = (
    None, 1, 5, 10, 0, -1, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf"), True, "1", "1; DROP TABLE patients",
    "1 OFFSET 1", "ALL", "NULL", "(SELECT 1)", "1--", [1], {"a": 1}, b"1", "",
)  # fmt: skip

NUMBERS = ("1", "-5", "3.5", "1e3", "'2'")
MOMENTS = ("'2020-01-01'", "DATE '1999-12-31'", "'2021-05-05 00:00:00'")
VALUES = {"age": NUMBERS, "weight": NUMBERS, "born": MOMENTS, "seen": MOMENTS, "ok": ("TRUE", "FALSE", "'t'")}
TEXTS = ("'a'", "'F'", "'it''s'", "'%a_'", "''", "'2020-01-01'")


@dataclass(frozen=True)
class Attack:
    """Hold what a caller asks for: any of it may be evil."""

    table: str
    columns: tuple[str, ...]
    where: str
    limit: object


def value_for(rng: random.Random, column: str) -> str:
    """Return a value, mostly one that the column can be compared with; texts are often attacks in proper quotes."""
    if rng.random() < 0.1:
        column = rng.choice(list(COLUMNS))
    if column in VALUES:
        return rng.choice(VALUES[column])
    return rng.choice(TEXTS) if rng.random() < 0.5 else "'" + rng.choice(KNOWN)[:300].replace("'", "''") + "'"


def comparison(rng: random.Random) -> str:
    """Return one comparison, mostly of the allowed kind."""
    column = rng.choice(list(COLUMNS))
    one, two = value_for(rng, column), value_for(rng, column)
    written = rng.choice((column, column, column.upper(), f'"{column}"'))
    forms = (
        f"{written} {rng.choice(['=', '<>', '!=', '<', '<=', '>', '>='])} {one}",
        f"{one} = {written}",
        f"{written} IS NULL",
        f"{written} IS NOT NULL",
        f"{written} IN ({one}, {two})",
        f"{written} NOT IN ({one})",
        f"{written} BETWEEN {one} AND {two}",
        f"{written} LIKE {one}",
        f"{written} NOT LIKE {one}",
    )
    return rng.choice(forms)


def condition(rng: random.Random, depth: int = 0) -> str:
    """Return a condition of the grammar, now and then with an attack for a part."""
    draw = rng.random()
    if draw < 0.08:
        return rng.choice(KNOWN)
    if depth > 3 or draw < 0.55:
        return comparison(rng)
    if draw < 0.7:
        return f"NOT ({condition(rng, depth + 1)})"
    return f"({condition(rng, depth + 1)}) {rng.choice(['AND', 'OR'])} {condition(rng, depth + 1)}"


def mutated(rng: random.Random, text: str) -> str:
    """Return the text with some pieces put in, taken out, doubled or turned."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        end = min(len(text), at + rng.randint(1, 6))
        what = rng.random()
        if what < 0.5:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif what < 0.7:
            text = text[:at] + text[end:]
        elif what < 0.85:
            text = text[:end] + text[at:]
        else:
            text = text[:at] + text[at:end].swapcase() + text[end:]
    return text[:6000]


def attack(rng: random.Random, place: int) -> Attack:
    """Return the attack of this number: each known one comes once, the others are drawn."""
    where = KNOWN[place] if place < len(KNOWN) else condition(rng)
    if place >= len(KNOWN) and rng.random() < 0.5:
        where = mutated(rng, where)
    table = TABLE if rng.random() < 0.95 else rng.choice(NAMES)
    if rng.random() < 0.01:
        table = mutated(rng, table)
    columns = tuple(dict.fromkeys(rng.choices(list(COLUMNS), k=rng.randint(1, 3))))
    if rng.random() < 0.1:
        columns = (*columns, rng.choice(FIELDS))
    limit = rng.choice((None, 1, 5, 10)) if rng.random() < 0.9 else rng.choice(LIMITS)
    return Attack(table, columns, where, limit)
