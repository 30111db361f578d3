"""Promises of the optimization guide: its snippets run, the specification's stand there verbatim, no name lacks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synth_worker
from synth_worker.diagnosis import Cause, FailureType

GUIDE = Path(synth_worker.__file__).parent / "OPTIMIZATION_GUIDE.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python (runnable|specification)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SEED = Path(__file__).parents[3] / "shared" / "seed"


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_every_snippet_runs(place: int, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"ks_mean": 0.14, "corr_delta": 0.05, "mia_auc": 0.52, "dup_rate": 0.0}
    real = pd.DataFrame({"a": np.arange(1_000), "b": np.arange(1_000)})
    known: dict[str, object] = {"metrics": metrics, "previous_metrics": None, "method": "ddpm", "real_df": real}
    exec(compile(BLOCKS[place][1], str(GUIDE), "exec"), known)  # noqa: S102 - our own document
    if "failure_type" in known:
        assert known["failure_type"] is FailureType.HIGH_KS
        assert known["suggestions"] == ["Increase n_iter to 300"]
        assert known["hyperparams"] == {"n_iter": 300, "batch_size": 128}
    assert "undertrained too_few_steps" in capsys.readouterr().out or BLOCKS[place][0] == "specification"


def test_the_specification_s_snippets_stand_in_it_word_for_word() -> None:
    if not SEED.exists():
        pytest.skip("the specification is not beside the project")
    whole = "\n".join(path.read_text(encoding="utf-8") for path in SEED.iterdir())
    own = [text for kind, text in BLOCKS if kind == "specification"]
    assert own
    for text in own:
        assert text.strip() in whole


@pytest.mark.parametrize("name", [*FailureType, *Cause])
def test_every_failure_type_and_cause_is_explained(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (GUIDE.parent / link).exists(), link
