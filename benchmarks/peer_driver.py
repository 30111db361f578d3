"""Fit another program and draw from it, inside the environment that holds it; nothing of Gesalp is imported here.

    ENVIRONMENT/bin/python peer_driver.py FOLDER

``FOLDER/job.json`` names the ``program``, the ``seed``, how many ``rows`` to draw and which columns hold ``labels``;
``FOLDER/train.csv`` are the rows to learn from (an empty cell is missing). Written are ``FOLDER/synthetic.csv`` and
``FOLDER/timings.json``: CPU seconds of fit and of draw, those of ended child processes included, imports left out.
Every program runs at its default settings on one thread.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

Draw = Callable[[int], pd.DataFrame]
"""Takes a number of rows and returns as many synthetic ones."""

Fit = Callable[[pd.DataFrame, Sequence[str], Path], Draw]
"""Takes the rows to learn from, the names of the label columns, and a folder to work in."""

BINS = 32
"""Into so many bins numbers are cut for the programs that need it: as many as our own methods count at most."""

Load = Callable[[int], Fit]
"""Imports a program, seeds it, and returns how it is fitted."""


def _load_bootstrap(seed: int) -> Fit:
    """Draw training rows again: needs no other program, and every attack must find it."""

    def fit(frame: pd.DataFrame, _labels: Sequence[str], _folder: Path) -> Draw:
        return lambda rows: frame.sample(rows, replace=True, random_state=seed)

    return fit


def _load_arf(_seed: int) -> Fit:
    from arfpy import arf

    def fit(frame: pd.DataFrame, labels: Sequence[str], _folder: Path) -> Draw:
        model = arf.arf(x=frame.astype(dict.fromkeys(labels, object)), verbose=False)
        model.forde()
        return lambda rows: model.forge(n=rows)

    return fit


def _load_ctgan(seed: int) -> Fit:
    from ctgan import CTGAN

    return _of_ctgan(CTGAN, seed)


def _load_tvae(seed: int) -> Fit:
    from ctgan import TVAE

    return _of_ctgan(TVAE, seed)


def _of_ctgan(kind: Callable[[], object], seed: int) -> Fit:
    """Return how the two programs of one package are fitted: both have the same calls."""
    one_torch_thread(seed)

    def fit(frame: pd.DataFrame, labels: Sequence[str], _folder: Path) -> Draw:
        model = kind()
        model.fit(frame, list(labels))
        return model.sample

    return fit


def _load_tabularargn(seed: int) -> Fit:
    from mostlyai.engine import TabularARGN

    one_torch_thread(seed)

    def fit(frame: pd.DataFrame, _labels: Sequence[str], folder: Path) -> Draw:
        model = TabularARGN(random_state=seed, workspace_dir=folder / "engine")
        model.fit(frame)
        return lambda rows: model.sample(n_samples=rows)

    return fit


def _load_smartnoise(kind: str) -> Load:
    """Return how a program of smartnoise-synth is loaded: numbers in bins between declared bounds, labels as they are.

    The job's ``epsilon``, ``delta`` and ``bounds`` are used. No part of epsilon goes to finding bounds.
    """

    def load(_seed: int) -> Fit:
        from snsynth import Synthesizer
        from snsynth.transform.bin import BinTransformer
        from snsynth.transform.label import LabelTransformer
        from snsynth.transform.table import TableTransformer

        def fit(frame: pd.DataFrame, labels: Sequence[str], folder: Path) -> Draw:
            job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            steps: list[object] = []
            for name in frame.columns:
                if name in labels:
                    steps.append(LabelTransformer(nullable=False))
                    continue
                low, high = job["bounds"][name]
                whole = pd.api.types.is_integer_dtype(frame[name].dtype)
                bins = min(BINS, int(high - low) + 1) if whole else BINS
                frame[name] = frame[name].clip(low, high)
                steps.append(BinTransformer(bins=bins, lower=low, upper=high))
            model = Synthesizer.create(kind, epsilon=job["epsilon"], delta=job["delta"], verbose=False)
            model.fit(frame, transformer=TableTransformer(steps), preprocessor_eps=0.0)
            return model.sample

        return fit

    return load


PROGRAMS: Mapping[str, tuple[Load, str]] = {
    "bootstrap": (_load_bootstrap, "pandas"),
    "arf": (_load_arf, "arfpy"),
    "ctgan": (_load_ctgan, "ctgan"),
    "tvae": (_load_tvae, "ctgan"),
    "tabularargn": (_load_tabularargn, "mostlyai-engine"),
    "smartnoise-mst": (_load_smartnoise("mst"), "smartnoise-synth"),
    "smartnoise-aim": (_load_smartnoise("aim"), "smartnoise-synth"),
}
"""How each program is loaded, and the package whose version is reported."""


def one_torch_thread(seed: int) -> None:
    """Keep torch to one thread and seed it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def read_train(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    """Read the rows to learn from: labels as texts, all else as numbers, only an empty cell as missing."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(labels, str), keep_default_na=False, na_values=[""])
    frame[list(labels)] = frame[list(labels)].astype(object)
    return frame


def work(folder: Path) -> None:
    """Do the job that a folder describes."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    load, package = PROGRAMS[job["program"]]
    random.seed(job["seed"])
    np.random.seed(job["seed"])  # noqa: NPY002  (the programs draw from the global stream)
    fit = load(job["seed"])
    frame = read_train(folder / "train.csv", job["labels"])
    wall, before = time.monotonic(), cpu_seconds()
    draw = fit(frame, job["labels"], folder)
    between = cpu_seconds()
    drawn = draw(job["rows"])
    after = cpu_seconds()
    timings = {
        "fit_cpu_seconds": round(between - before, 2),
        "draw_cpu_seconds": round(after - between, 2),
        "seconds": round(time.monotonic() - wall, 2),
        "version": importlib.metadata.version(package),
    }
    drawn.to_csv(folder / "synthetic.csv", index=False)
    (folder / "timings.json").write_text(json.dumps(timings), encoding="utf-8")


def main() -> None:
    """Do the job, unless the libraries (which read it when they are loaded) were not told to keep to one thread."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("set OMP_NUM_THREADS=1: the programs are compared on one thread")
    work(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
