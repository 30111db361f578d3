"""Carry out ``gesalp evaluate``: judge a synthetic table of any origin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console

from synth_worker.commands.cancel import take_signals
from synth_worker.commands.exits import Guard
from synth_worker.commands.progress import watcher
from synth_worker.commands.schema import read_schema
from synth_worker.commands.summary import write_certificate
from synth_worker.record import certificate_json
from synth_worker.run import Certificate
from synth_worker.verbs import evaluate

Verb = Callable[..., Certificate]


def evaluate_files(
    *,
    train: Path,
    holdout: Path,
    synthetic: Path,
    profile: str = "standard",
    target: str | None = None,
    schema: Path | None = None,
    group_key: str | None = None,
    rows_independent: bool = False,
    seed: int = 0,
    threads: int = 2,
    as_json: bool = False,
    quiet: bool = False,
    debug: bool = False,
    verb: Verb = evaluate,
) -> int:
    """Judge a table and return the exit code; the certificate goes to standard output."""
    with Guard(as_json=as_json, debug=debug):
        take_signals()
        with watcher(attempts=1, as_json=as_json, quiet=quiet) as watch:

            def step(what: str, done: int, total: int) -> None:
                watch({"event": "certify", "what": what, "done": done, "total": total})

            certificate = verb(
                train=train,
                holdout=holdout,
                synthetic=synthetic,
                schema=None if schema is None else read_schema(schema),
                profile=profile,
                target=target,
                group_key=group_key,
                rows_independent=rows_independent,
                seed=seed,
                threads=threads,
                step=step,
            )
        if as_json:
            typer.echo(json.dumps(certificate_json(certificate), indent=1, allow_nan=False))
        else:
            write_certificate(certificate, Console(file=sys.stdout), brief=quiet)
        return certificate.verdict.exit_code
