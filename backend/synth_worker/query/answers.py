"""Keep answers, so that the same request gets the same one: a folder each, readable by its owner alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pandas as pd

from synth_worker.whole import sync

FOLDER, FRAME, TOLD = "answers", "answer.parquet", "metadata.json"


def keep(home: Path, frame: pd.DataFrame, told: Mapping[str, object]) -> str:
    """Write an answer whole into a new folder of ``home`` and return where it is."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = secrets.token_hex(16)
    part = folder / f".{name}.part"
    part.mkdir(mode=0o700)
    frame.to_parquet(part / FRAME, index=False)
    (part / TOLD).write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    for file in (part / FRAME, part / TOLD):
        file.chmod(0o600)
        sync(file)
    sync(part)
    part.replace(folder / name)
    sync(folder)
    return str((folder / name).resolve())


def kept(reference: str) -> tuple[pd.DataFrame, dict[str, object]] | None:
    """Return an answer that was kept; None where it is gone.

    >>> import tempfile
    >>> place = keep(Path(tempfile.mkdtemp()), pd.DataFrame({"n": [1]}), {"rows": 1})
    >>> kept(place)[1], kept("/nowhere")
    ({'rows': 1}, None)
    """
    folder = Path(reference)
    if not (folder / TOLD).exists() or not (folder / FRAME).exists():
        return None
    told = cast("dict[str, object]", json.loads((folder / TOLD).read_text(encoding="utf-8")))
    return pd.read_parquet(folder / FRAME), told
