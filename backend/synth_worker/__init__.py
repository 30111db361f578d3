"""Make synthetic tables and prove what they are worth.

    import synth_worker as sw
    run = sw.synthesize(frame, seed=0)
    run.verdict == "green"; run.best.synthetic
    sw.evaluate(train=a, holdout=b, synthetic=c).scores["ks_mean"].value

Each verb loads its parts when it is first used, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synth_worker.optimizer import get_optimizer
    from synth_worker.reading import read_table
    from synth_worker.synthesis import synthesize
    from synth_worker.verbs import evaluate

__version__ = "0.1.0"
__all__ = ["evaluate", "get_optimizer", "read_table", "synthesize"]

_HOMES = {
    "evaluate": "synth_worker.verbs",
    "get_optimizer": "synth_worker.optimizer",
    "read_table": "synth_worker.reading",
    "synthesize": "synth_worker.synthesis",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'synth_worker' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
