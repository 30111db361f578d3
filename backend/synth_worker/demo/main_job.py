"""Run the main job on a public medical table: ``make demo``.

The table is scikit-learn's copy of Breast Cancer Wisconsin (Diagnostic): 569 patients, 30 measurements, a diagnosis.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import pandas as pd
from sklearn.datasets import load_breast_cancer

from synth_worker.commands.exits import say
from synth_worker.commands.run import Verb, run_table
from synth_worker.errors import BadInput
from synth_worker.gates import EXIT_CODES, Light
from synth_worker.run import Options
from synth_worker.synthesis import synthesize

OUT = Path("demo-out")
NAME = "breast_cancer.csv"
TARGET = "diagnosis"


def write_demo_table(folder: Path) -> Path:
    """Write the table as CSV into ``folder``, byte for byte the same each time."""
    bunch = cast("dict[str, Any]", load_breast_cancer())
    names = [str(name).replace(" ", "_") for name in bunch["feature_names"]]
    frame = pd.DataFrame(bunch["data"], columns=names)
    frame[TARGET] = [str(bunch["target_names"][code]) for code in bunch["target"]]
    path = folder / NAME
    frame.to_csv(path, index=False, lineterminator="\n")
    return path


def clear(out: Path, *, table: Path) -> None:
    """Remove an earlier result of this demo; anything else is left alone and refused."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not _is_ours(out, hashlib.sha256(table.read_bytes()).hexdigest()):
        raise BadInput(
            f"{out} exists and was not made by this demo", hint="move it away, or run the demo in another folder"
        )
    shutil.rmtree(out)


def _is_ours(out: Path, sha256: str) -> bool:
    try:
        request = json.loads((out / "request.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(request, dict) and request.get("data_sha256") == sha256


def run_demo(out: Path = OUT, *, verb: Verb = synthesize) -> int:
    """Run the demo and return its exit code: 0 where a table was made that is not red."""
    with tempfile.TemporaryDirectory(prefix="gesalp-demo-") as folder:
        table = write_demo_table(Path(folder))
        clear(out, table=table)
        say(f"the table: {table.name}, 569 patients x 31 columns, from scikit-learn")
        code = run_table(table, Options(target=TARGET), out=out, verb=verb)
    report = out / "report.html"
    if report.exists():
        say(f"open {report.resolve()}")
    if code != EXIT_CODES[Light.AMBER]:
        return code
    say(f"amber is the honest answer on 569 rows, so the demo ends with 0; gesalp run itself would end with {code}")
    return 0


def main() -> None:
    """Run the demo and exit."""
    try:
        code = run_demo()
    except BadInput as error:
        say(f"gesalp: {error}")
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
