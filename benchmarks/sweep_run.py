"""Put one made table through the whole main job, and say what is wrong with what came out."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as paparquet
from jsonschema import Draft202012Validator

import synth_worker as sw
from benchmarks.rows import ROOT
from benchmarks.sweep_tables import Plan, make_frame
from synth_worker import crossfit, synthesis
from synth_worker.errors import BadInput, GesalpError
from synth_worker.process import FAILURES
from synth_worker.run import Options, Run
from synth_worker.settings import Settings
from synth_worker.textfile import column_names

CARD = Draft202012Validator(json.loads((ROOT / "docs" / "run.schema.json").read_text(encoding="utf-8")))
MOST_SECONDS = 180
PYTHON_ERROR = re.compile(r"\b(" + "|".join(one.__name__ for one in FAILURES) + r"|KeyError|IndexError|LinAlgError)\b")
BROKEN_FIGURE = re.compile(r">\s*[+-]?(nan|inf|infinity)\s*<")


@dataclass(frozen=True)
class Outcome:
    """Hold how a case ended: ``light`` is a verdict, ``refused`` or ``failed``; ``wrong`` names each fault once."""

    light: str
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])
    said: str = ""
    cpu_seconds: float = 0.0


class Hung(BaseException):
    """End a case that takes far too long; no handler of the system may catch it."""


class InThisProcess:
    """Stand in for the worker: the same jobs and the same JSON, without the seconds that a child's imports take."""

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def warm(self) -> None:
        """Need no warming."""

    def close(self) -> None:
        """Hold nothing."""

    def call(self, job: str, payload: Mapping[str, object], **_asked: object) -> Mapping[str, object]:
        """Run the job here; its failures come as they come from a child."""
        module, name = job.split(":")
        work = getattr(importlib.import_module(module), name)
        try:
            answer = work(json.loads(json.dumps(payload)), lambda progress: json.dumps(progress, allow_nan=False))
        except GesalpError as error:
            raise sw.errors.TrainingFailed(str(error)) from error
        except FAILURES as error:
            raise sw.errors.TrainingFailed(f"{type(error).__name__}: {error}") from error
        return json.loads(json.dumps(answer, allow_nan=False))


@contextlib.contextmanager
def in_this_process() -> Iterator[None]:
    """Let the main job do its fits here instead of in children."""
    before = synthesis.Worker, crossfit.Worker
    synthesis.Worker = crossfit.Worker = InThisProcess  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        synthesis.Worker, crossfit.Worker = before  # type: ignore[misc]


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise Hung after so many seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_case(plan: Plan, *, whole: bool = False) -> Outcome:
    """Run one case; ``whole`` runs the command line with real child processes (files only)."""
    start = time.process_time()
    frame = make_frame(plan)
    with tempfile.TemporaryDirectory(prefix="sweep-") as name:
        folder = Path(name)
        source = _write(frame, plan, folder)
        if whole and isinstance(source, Path):
            return _run_command(plan, source, folder)
        wrong: dict[str, str] = {}
        with warnings.catch_warnings(), in_this_process():
            warnings.simplefilter("always")
            warnings.showwarning = _noting(wrong)
            light, said = _run_here(plan, source, folder, wrong)
    return Outcome(light, wrong, said, time.process_time() - start)


def _noting(wrong: dict[str, str]) -> Callable[..., None]:
    """Return what takes a warning down with the line of ours from which it came."""

    def note(message: Warning | str, category: type[Warning], *_where: object) -> None:
        own = [one for one in traceback.extract_stack() if "/synth_worker/" in one.filename]
        if own and not issubclass(category, ResourceWarning):
            wrong.setdefault(
                f"{category.__name__} from {_place(own[-1].filename, own[-1].lineno or 0)}", str(message)[:300]
            )

    return note


def _run_here(plan: Plan, source: pd.DataFrame | Path, folder: Path, wrong: dict[str, str]) -> tuple[str, str]:
    out = folder / "run"
    printed = io.StringIO()
    try:
        with limited(MOST_SECONDS), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            run = sw.synthesize(
                source, out=out, options=_options(plan, source), settings=Settings(home=folder / "home")
            )
    except BadInput as error:
        if not error.hint:
            wrong["a refusal without a hint"] = error.message
        return "refused", error.message
    except GesalpError as error:
        wrong[f"{type(error).__name__} escaped"] = str(error)
        return "failed", str(error)
    except Hung:
        wrong["hung"] = f"more than {MOST_SECONDS} s"
        return "failed", "hung"
    except Exception as error:  # noqa: BLE001 - whatever escapes is what the sweep looks for
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = [one for one in traceback.extract_tb(error.__traceback__) if "/synth_worker/" in one.filename]
        where = _place(own[-1].filename, own[-1].lineno or 0) if own else _place(last.filename, last.lineno or 0)
        wrong[f"traceback: {type(error).__name__} at {where}"] = str(error)[:300]
        return "failed", f"{type(error).__name__}: {error}"[:300]
    if printed.getvalue():
        wrong["something was printed"] = printed.getvalue()[:300]
    if run.best_number is None:
        wrong["no attempt ended with a table"] = "; ".join(one.failure for one in run.attempts)[:300]
    check_folder(out, wrong)
    if isinstance(source, pd.DataFrame):
        check_frame(source, run, wrong)
    elif source.suffix == ".parquet" and run.best_number is not None:
        check_types(source, out / "synthetic.parquet", _dropped(run), wrong)
    return str(run.verdict), ""


def check_folder(out: Path, wrong: dict[str, str]) -> None:
    """Look for what must never stand in a run card or a report."""
    text = (out / "run.json").read_text(encoding="utf-8")
    try:
        card = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        wrong["run.json is no strict JSON"] = str(error)
        return
    found = next(CARD.iter_errors(card), None)
    if found is not None:
        wrong["run.json breaks its schema"] = f"{list(found.absolute_path)}: {found.message}"[:300]
    for attempt in card["attempts"]:
        if attempt["failure"]:
            wrong[f"an attempt failed: {_short(attempt['failure'])}"] = attempt["failure"][:300]
    for part in (card["certificate"], *card["attempts"]):
        for name, score in (part or {}).get("scores", {}).items():
            if PYTHON_ERROR.search(score["reason"]) or "could not be computed" in score["reason"]:
                wrong[f"{name} could not be computed"] = score["reason"][:300]
    for name in ("report.html", "report.internal.html"):
        if card["best"] is not None and card["certificate"] is not None:
            page = (out / name).read_text(encoding="utf-8")
            if BROKEN_FIGURE.search(page):
                wrong[f"{name} shows no figure"] = str(BROKEN_FIGURE.search(page))
            if len(page) > 2_000_000:
                wrong[f"{name} is too large"] = f"{len(page):,} characters"


def check_frame(real: pd.DataFrame, run: Run, wrong: dict[str, str]) -> None:
    """Compare the synthetic data frame with the real one: columns, dtypes, rows, no infinity."""
    if run.best_number is None:
        return
    made = run.best.synthetic
    if made is None:
        wrong["no data frame came back"] = ""
        return
    own = real.copy(deep=False)
    own.columns = pd.Index(column_names([str(one) for one in real.columns], "the data frame"))
    wanted = run.options.rows or len(real)
    if len(made) != wanted:
        wrong["another number of rows"] = f"{len(made)} instead of {wanted}"
    check_dtypes(own, made, _dropped(run), wrong, fresh=_fresh(run))


def check_types(source: Path, made: Path, dropped: set[str], wrong: dict[str, str]) -> None:
    """Compare the column types of two Parquet files: no pandas dtype but the file's own type is what a reader gets."""
    own, other = paparquet.read_schema(source), paparquet.read_schema(made)
    names = column_names([str(one) for one in own.names], "the file")
    expected = {name: kind for name, kind in zip(names, own.types, strict=True) if name not in dropped}
    if list(expected) != other.names:
        wrong["other columns"] = f"{other.names[:6]} instead of {list(expected)[:6]}"
        return
    for name, mine in zip(other.names, other.types, strict=True):
        # The two lengths of string are one type of the file.
        if mine != expected[name] and not (pa.types.is_large_string(mine) and pa.types.is_string(expected[name])):
            wrong[f"parquet {expected[name]} became {mine}"] = f"column {name!r:.40}"


def check_dtypes(
    real: pd.DataFrame, made: pd.DataFrame, dropped: set[str], wrong: dict[str, str], *, fresh: Set[str] = frozenset()
) -> None:
    """Compare names and dtypes; Python objects by the types of their cells, categories unless they name records."""
    expected = [str(one) for one in real.columns if str(one) not in dropped]
    if [str(one) for one in made.columns] != expected:
        wrong["other columns"] = f"{list(made.columns)[:6]} instead of {expected[:6]}"
        return
    for name in expected:
        mine, theirs = made[name], real[name]
        if isinstance(theirs.dtype, pd.CategoricalDtype) and isinstance(mine.dtype, pd.CategoricalDtype):
            same = mine.dtype.ordered == theirs.dtype.ordered
            same = same and (name in fresh or set(mine.dtype.categories) <= set(theirs.dtype.categories))
            same = same and mine.dtype.categories.dtype == theirs.dtype.categories.dtype
        else:
            same = mine.dtype == theirs.dtype
        if not same:
            wrong[f"{theirs.dtype} became {mine.dtype}"] = f"column {name!r:.40}"
        elif mine.dtype == object:
            kinds = [
                {type(one) for one in each if not pd.api.types.is_scalar(one) or not pd.isna(one)}
                for each in (mine, theirs)
            ]
            if len(kinds[1]) == 1 and not kinds[0] <= kinds[1]:
                wrong[f"objects of {kinds[1]} became {kinds[0]}"] = f"column {name!r:.40}"
        if pd.api.types.is_float_dtype(mine) and np.isinf(mine.to_numpy(dtype=np.float64, na_value=np.nan)).any():
            wrong["an infinite value was made"] = f"column {name!r:.40} of {theirs.dtype}"


def _run_command(plan: Plan, source: Path, folder: Path) -> Outcome:
    asked = _options(plan, source)
    command = [str(Path(sys.executable).parent / "gesalp"), "run", str(source), "--out", str(folder / "run")]
    command += ["--method", asked.method, "--attempts", "1", "--profile", asked.profile, "--text", asked.text]
    command += ["--target=" + asked.target] if asked.target is not None else []
    command += ["--rows", str(asked.rows)] if asked.rows is not None else []
    command += ["--threads", "1"]
    environment = {**os.environ, "GESALP_HOME": str(folder / "home"), "NO_COLOR": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    wrong: dict[str, str] = {}
    both = ended.stdout + ended.stderr
    if ended.returncode not in (0, 2, 3, 4):
        wrong[f"exit code {ended.returncode}"] = ended.stderr[-300:]
    for word in ("Traceback", "Warning:", "warnings.warn", "RuntimeWarning"):
        if word in both:
            wrong[f"the terminal shows {word}"] = both[max(0, both.index(word) - 100) :][:300]
    if ended.returncode in (0, 3, 4):
        check_folder(folder / "run", wrong)
    light = {0: "green", 2: "refused", 3: "red", 4: "amber"}.get(ended.returncode, "failed")
    said = next((line for line in ended.stderr.splitlines() if line.startswith("gesalp: ")), "")
    return Outcome(light, wrong, said.removeprefix("gesalp: ") if light == "refused" else "")


def _options(plan: Plan, source: pd.DataFrame | Path) -> Options:
    names = [str(one.name) or f"column_{place + 1}" for place, one in enumerate(plan.columns)]
    target = None if plan.target is None else names[plan.target]
    return Options(
        method=plan.method,
        profile=plan.profile,
        text=plan.text,
        rows=plan.wanted,
        target=target,
        attempts=1,
        threads=1,
        time_budget=None,
    )


def _write(frame: pd.DataFrame, plan: Plan, folder: Path) -> pd.DataFrame | Path:
    """Write the table in the form that is asked for; what pandas cannot write stays a data frame."""
    path = folder / f"table.{plan.source}"
    own = frame.copy(deep=False)
    own.columns = pd.Index([str(one) for one in frame.columns])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if plan.source == "csv":
                own.to_csv(path, index=False)
            elif plan.source == "tsv":
                own.to_csv(path, index=False, sep="\t")
            elif plan.source == "parquet":
                own.to_parquet(path, index=False)
            elif plan.source == "xlsx":
                own.to_excel(path, index=False)
            else:
                return frame
    except Exception:  # noqa: BLE001 - pandas and pyarrow refuse in many ways what is no concern of ours
        return frame
    return path


def _dropped(run: Run) -> set[str]:
    return {
        note.removesuffix(": free text; left out, since text can name persons")
        for note in run.notes
        if ": free text; left out" in note
    }


def _fresh(run: Run) -> set[str]:
    return {note.partition(": an identifier;")[0] for note in run.notes if ": an identifier;" in note}


def _refuse(word: str) -> None:
    raise ValueError(f"{word} stands in it")


def _place(filename: str, line: int) -> str:
    return f"{filename.rpartition('/synth_worker/')[2].rpartition('site-packages/')[2]}:{line}"


def _short(text: str) -> str:
    return re.sub(r"[0-9.]+|'[^']*'", "#", text)[:60]
