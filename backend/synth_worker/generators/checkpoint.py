"""Write the state of a training, so that one that was killed goes on where it was.

A checkpoint is one npz file, written under another name and renamed: there is a whole one or none. It carries the
fingerprint of what was trained, so that another table's or another setting's is never taken up.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from synth_worker.generators.base import Hyperparameters
from synth_worker.table import Table, row_hashes

State = dict[str, Tensor]
"""Tensors by name."""

CHECKPOINT = "checkpoint.npz"
VERSION = 1
"""Of what a checkpoint holds and means; another one's is not taken up."""

_FACTS = "facts"
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Hold tensors and JSON facts."""

    tensors: State
    facts: Mapping[str, object]


def fingerprint_of(table: Table, *, hyperparameters: Hyperparameters, rng: np.random.Generator) -> str:
    """Return what tells one training from all others: the rows and their meaning, the settings, the random stream.

    To be asked before ``rng`` is drawn from. Another version of PyTorch may round otherwise, so it counts too.

    >>> from tests.tables import adult_like
    >>> ask = lambda seed: fingerprint_of(adult_like(50, 0), hyperparameters={}, rng=np.random.default_rng(seed))
    >>> ask(0) == ask(0), ask(0) == ask(1)
    (True, False)
    """
    said = {
        "version": VERSION,
        "torch": str(torch.__version__),
        "schema": table.schema.to_json(),
        "hyperparameters": dict(hyperparameters),
        "stream": rng.bit_generator.state,
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    digest.update(row_hashes(table).tobytes())
    return digest.hexdigest()


def write_checkpoint(folder: Path, checkpoint: Checkpoint, *, fingerprint: str) -> None:
    """Write into a folder, made if need be, in place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = json.dumps({"fingerprint": fingerprint, **checkpoint.facts}).encode()
    arrays = {f"tensor.{name}": value.detach().cpu().numpy() for name, value in checkpoint.tensors.items()}
    arrays[_FACTS] = np.frombuffer(facts, dtype=np.uint8)
    with (folder / f"{CHECKPOINT}.new").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]
        file.flush()
        os.fsync(file.fileno())
    (folder / f"{CHECKPOINT}.new").replace(folder / CHECKPOINT)


def read_checkpoint(folder: Path, *, fingerprint: str) -> Checkpoint | None:
    """Return the checkpoint of this very training, or None where there is none that can be read."""
    try:
        with np.load(folder / CHECKPOINT, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
    except DAMAGE:
        return None  # a training that begins anew is right, if slower
    if facts.pop("fingerprint", None) != fingerprint:
        return None
    return Checkpoint({name.removeprefix("tensor."): torch.from_numpy(value) for name, value in arrays.items()}, facts)
