"""Carry out ``gesalp query``: ask a database what a query file says, write the answer and what it guarantees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pandas as pd
import typer

from synth_worker.commands.exits import Guard, say
from synth_worker.commands.query_file import read_query
from synth_worker.database.registry import open_database
from synth_worker.errors import BadInput, listed
from synth_worker.secure_query import SecureQuerySampler
from synth_worker.whole import sync, write_text_whole

SUFFIXES = (".csv", ".parquet")


def ask_database(config: Path, *, out: Path, as_json: bool = False, debug: bool = False) -> int:
    """Write the answer to ``out`` and its metadata beside it, as ``<out>.metadata.json``; both must be new."""
    with Guard(as_json=as_json, debug=debug):
        told = metadata_of(out)
        for path in (out, told):
            if path.exists():
                raise BadInput(f"--out: {path} exists already", hint="name a new file; nothing was overwritten")
        if out.suffix not in SUFFIXES:
            raise BadInput(f"--out {out} is neither a .csv nor a .parquet file")
        if not out.absolute().parent.is_dir():
            raise BadInput(f"--out {out} lies in a folder that does not exist")
        asked = read_query(config)
        database = open_database(asked.place.db_type, asked.place.credentials)
        with SecureQuerySampler(database, population=asked.population, event=_tell) as sampler:
            frame, metadata = sampler.sample_with_metadata(asked.config, asked.note)
        write_text_whole(told, json.dumps(metadata, ensure_ascii=False, indent=1, allow_nan=False))
        _write(frame, out, personal=bool(metadata["contains_personal_data"]))
        typer.echo(
            json.dumps(metadata, indent=1) if as_json else "\n".join(summary(metadata, out=out, empty=empty_of(frame)))
        )
    return 0


def metadata_of(out: Path) -> Path:
    """Return where the metadata of an answer goes.

    >>> metadata_of(Path("sample.csv")).name
    'sample.metadata.json'
    """
    return out.with_name(f"{out.stem}.metadata.json")


def empty_of(frame: pd.DataFrame) -> list[str]:
    """Return the columns of an answer that hold no value at all.

    >>> empty_of(pd.DataFrame({"age": [1], "code": [None]}))
    ['code']
    """
    return [str(name) for name in frame.columns if len(frame) and bool(frame[name].isna().all())]


def summary(metadata: Mapping[str, object], *, out: Path, empty: Sequence[str] = ()) -> list[str]:
    """Return what an answer is, in a few lines; ``empty`` are columns of it without a value."""
    budget = cast("Mapping[str, object]", metadata["budget"])
    left = cast("Mapping[str, int]", budget["left_after"])
    lines = [f"{metadata['rows']:,} rows, {metadata['rows_are']}", f"guarantee: {metadata['guarantee']}"]
    if metadata["contains_personal_data"]:
        lines.append(f"personal data: {metadata['disclosed']}")
    if empty:
        lines.append(
            f"no value of {listed(empty)} was common enough to be found under the noise: "
            "declare bounds or categories, or ask about more rows"
        )
    if metadata["replayed"]:
        lines.append("the same was answered before: nothing was charged")
    spent = cast("float", budget["epsilon_spent_after"])
    lines.append(
        f"population {budget['population']!r}: epsilon {spent:.3g} of {budget['epsilon']:g} is spent, "
        f"rho {left['rho_nano'] / 1e9:g} left"
    )
    return [*lines, f"the rows are in {out}, what they guarantee in {metadata_of(out)}"]


def _tell(event: Mapping[str, object]) -> None:
    say(str(event.get("what", "")))


def _write(frame: pd.DataFrame, out: Path, *, personal: bool) -> None:
    part = out.with_name(f".{out.stem}.part{out.suffix}")
    # Real values are their owner's alone from the first byte on.
    part.touch(mode=0o600 if personal else 0o644)
    if out.suffix == ".csv":
        frame.to_csv(part, index=False, lineterminator="\n")
    else:
        frame.to_parquet(part, index=False)
    sync(part)
    part.replace(out)
