"""Count how often a data set's certificate rows were looked at: each look costs the next one confidence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def count_look(home: Path, *, data_sha256: str, run: str) -> int:
    """Record a look by ``run`` before it happens and return its number, from 1; the same run looks once.

    The store is SQLite in ``home``; concurrent runs get different numbers.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(sqlite3.connect(home / "looks.sqlite", timeout=30, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS looks (data TEXT, run TEXT, number INTEGER, PRIMARY KEY (data, run))"
        )
        connection.execute("BEGIN IMMEDIATE")
        held = connection.execute("SELECT number FROM looks WHERE data = ? AND run = ?", (data_sha256, run)).fetchone()
        if held is None:
            (before,) = connection.execute("SELECT count(*) FROM looks WHERE data = ?", (data_sha256,)).fetchone()
            held = (before + 1,)
            connection.execute("INSERT INTO looks VALUES (?, ?, ?)", (data_sha256, run, held[0]))
        connection.execute("COMMIT")
    return int(held[0])


def alpha_of(look: int, *, alpha: float = 0.05) -> float:
    """Return the level of the upper bounds at a look: the first at ``alpha``, each further one at half of it.

    >>> [alpha_of(look) for look in (1, 2, 3)]
    [0.05, 0.025, 0.0125]
    """
    return alpha / 2 ** (look - 1)
