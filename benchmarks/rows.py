"""Append and read raw measurement rows: one JSON object a line, with the commit that made it."""

from __future__ import annotations

import json
import subprocess
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "benchmarks" / "records"
DATA = ROOT.parent / "shared" / "data"
FAILED = "failed"
"""The verdict of a row whose run ended with no table."""

EVER = "0"
"""A moment before all that is on record."""


def commit() -> str:
    """Return the short commit, with a + where the tree differs from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "backend"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def append(name: str, row: Mapping[str, object]) -> None:
    """Append one row to ``records/NAME.jsonl``."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    stamped = {"commit": commit(), "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), **row}
    with (RECORDS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(stamped) + "\n")


def ask_since(parser: ArgumentParser, default: str = "") -> None:
    """Add ``--since``, by which a round of measurements that was stopped goes on where it was."""
    parser.add_argument(
        "--since", default=default, help="skip what is on record since this moment, as 2026-11-24T10:00Z"
    )


def held(name: str, *keys: str, since: str) -> set[tuple[object, ...]]:
    """Return the values of ``keys`` that are on record since a moment; nothing where there is no moment.

    A row of a run that failed does not count: it is tried again.
    """
    own = [row for row in read(name) if since and str(row["at"]) >= since and row.get("verdict") != FAILED]
    return {tuple(row.get(key) for key in keys) for row in own}


def read(name: str) -> list[dict[str, object]]:
    """Return all rows of ``records/NAME.jsonl``, oldest first."""
    path = RECORDS / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
