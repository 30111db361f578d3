"""Spawn independent random streams from one seed, by label.

Each part of the system draws from a stream of its own, so that adding a draw in one place changes no
other, and the number of threads or the order of the work changes nothing at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Streams:
    """Hand out one reproducible generator per label path.

    >>> Streams(0).rng("fit", 1).integers(1000) == Streams(0).rng("fit", 1).integers(1000)
    np.True_
    >>> Streams(0).child("loop").rng("fit").integers(10**9) == Streams(0).rng("fit").integers(10**9)
    np.False_
    """

    seed: int
    path: tuple[str, ...] = ()

    def child(self, *labels: str | int) -> Streams:
        """Return the streams below a label path."""
        return Streams(self.seed, (*self.path, *(str(one) for one in labels)))

    def rng(self, *labels: str | int) -> np.random.Generator:
        """Return a fresh generator for a label path; the same path always gives the same draws."""
        text = "\x1f".join((*self.path, *(str(one) for one in labels)))
        digest = hashlib.sha256(text.encode()).digest()
        words = tuple(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 32, 4))
        return np.random.default_rng(np.random.SeedSequence(entropy=self.seed, spawn_key=words))

    def integer(self, *labels: str | int) -> int:
        """Return a non-negative 31-bit integer for a label path, for libraries that want an int."""
        return int(self.rng(*labels).integers(2**31 - 1))
