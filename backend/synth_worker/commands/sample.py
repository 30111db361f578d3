"""Carry out ``gesalp sample``: draw more rows from a model that a run left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import typer

from synth_worker.commands.exits import Guard, say
from synth_worker.errors import BadInput
from synth_worker.generators.base import Generator, Value
from synth_worker.keeping import load
from synth_worker.schema import Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.writing import write_table


def sample_model(
    model: Path,
    *,
    rows: int,
    given: Mapping[str, str] | None = None,
    seed: int = 0,
    out: Path | None = None,
    debug: bool = False,
) -> int:
    """Write ``rows`` rows to ``out``, or as CSV to standard output; ``given`` fixes columns to values.

    ``model`` is a run's folder or its ``model`` inside.
    """
    with Guard(debug=debug):
        if out is not None and out.exists():
            raise BadInput(f"--out {out} exists already", hint="name a new file; nothing was overwritten")
        generator = load(_folder(model))
        fixed = None if not given else typed(given, _schema(generator))
        table = generator.sample(rows, rng=Streams(seed).rng("sample"), given=fixed)
        if out is not None:
            write_table(table, out)
            say(f"{rows:,} rows are in {out}; they were not certified: only a run's own table is")
        else:
            with tempfile.TemporaryDirectory(prefix="gesalp-") as folder:
                path = Path(folder) / "sample.csv"
                write_table(table, path)
                typer.echo(path.read_bytes(), nl=False)
    return 0


def _folder(model: Path) -> Path:
    if (model / "model").is_dir():
        return model / "model"
    if not model.is_dir():
        what = "is a file, not a folder" if model.exists() else "does not exist"
        raise BadInput(f"{model} {what}", hint="name the folder of a run (the one that holds run.json), or its model/")
    if not any(model.glob("*.json")):
        raise BadInput(
            f"{model} holds no run and no model", hint="name the folder that gesalp run wrote, or its model/"
        )
    return model


def _schema(generator: Generator) -> Schema:
    """Return the schema that a model draws: the protocol shows it only on what is drawn."""
    return generator.sample(1, rng=Streams(0).rng("schema")).schema


def typed(given: Mapping[str, str], schema: Schema) -> dict[str, Value]:
    """Return the given values as the model takes them: numbers for numeric columns, texts for all others.

    >>> from synth_worker.schema import Column
    >>> schema = Schema((Column("age", Kind.NUMERIC), Column("ward", Kind.CATEGORICAL, categories=("1", "2"))))
    >>> typed({"age": "40", "ward": "1"}, schema)
    {'age': 40.0, 'ward': '1'}
    """
    found: dict[str, Value] = {}
    for name, text in given.items():
        column = schema[name]
        if column.kind is not Kind.NUMERIC:
            found[name] = text
            continue
        try:
            found[name] = float(text)
        except ValueError as error:
            raise BadInput(f"--given {name}={text}: column {name!r} is numeric", hint="give a number") from error
    return found
