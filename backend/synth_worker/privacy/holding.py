"""Hold what a chain of marks needs on the disk: a lock that a dying process lets go of, a key for its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Generator
from pathlib import Path

from synth_worker.errors import LedgerUnusable
from synth_worker.whole import sync

KEY_BYTES = 32
PAUSE_SECONDS = 0.002


@contextlib.contextmanager
def locked(path: Path, *, seconds: float) -> Generator[None]:
    """Hold the lock ``path`` alone, among threads and processes. Raises TimeoutError after so many seconds, OSError.

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()) / "lock", seconds=1):
    ...     pass
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"{path} was in use for {seconds:g} s") from None
                time.sleep(PAUSE_SECONDS)
        yield
    finally:
        os.close(handle)


def write_key(path: Path) -> None:
    """Write a fresh key, whole, readable by its owner alone."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    sync(part)
    part.replace(path)
    sync(path.parent)


def read_key(path: Path, *, hint: str) -> bytes:
    """Return a key. Raises LedgerUnusable for one that others can read, or that is none; OSError where it is missing.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "key"
    >>> write_key(path)
    >>> len(read_key(path, hint="restore it"))
    32
    """
    if path.stat().st_mode & 0o077:
        raise LedgerUnusable(f"the key {path} can be read by others", hint=f"chmod 600 {path}")
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise LedgerUnusable(f"the key {path} has {len(secret)} bytes, not {KEY_BYTES}", hint=hint)
    return secret
