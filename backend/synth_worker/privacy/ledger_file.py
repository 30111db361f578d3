"""Keep a ledger in SQLite, with its key and an anchor; refuse where the three do not fit together.

HOME/ledger/ledger.sqlite   the chain of entries (WAL, synchronous=FULL)
HOME/ledger/key             32 random bytes, mode 0600
HOME/ledger.anchor          how far the chain is known to reach, written after each entry, before anyone relies on it

An anchor that is behind is what a crash leaves: the entries beyond it carry the key's marks and count. An anchor that
is ahead, or alone, shows a ledger that was set back, emptied or removed. Restoring key, ledger and anchor together
from a backup cannot be seen from here: who hands out answers keeps their entry (``knows``).
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path

from synth_worker.errors import LedgerUnusable
from synth_worker.privacy import entries
from synth_worker.privacy.chain import Chain, utc_now
from synth_worker.privacy.entries import RESTORE, State
from synth_worker.privacy.holding import locked, read_key, write_key

FOLDER, FILE, KEY, ANCHOR, LOCK = "ledger", "ledger.sqlite", "key", "ledger.anchor", "lock"
PATIENCE_SECONDS = 120.0

TABLE = "CREATE TABLE entries (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, mark TEXT NOT NULL)"
GUARDS = (
    "CREATE TRIGGER no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END",
    "CREATE TRIGGER no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END",
)
"""Against slips of the pen; against intent stand the marks."""


class FileLedger(Chain):
    """Keep account in ``home``, for any number of processes of one machine.

    ``create`` makes a ledger where there has never been one. Use it as a context, or ``close`` it.

    Raises LedgerUnusable for a ledger that is missing, damaged, locked for too long, or not the one that its anchor
    knows.

    >>> import tempfile
    >>> from synth_worker.privacy.budget import Budget, Cost
    >>> from synth_worker.privacy.entries import Request
    >>> with FileLedger(Path(tempfile.mkdtemp()), create=True) as ledger:
    ...     _ = ledger.open("ward", Budget(1.0, 1e-6))
    ...     asked = Request("ward", "ada", "{}", ledger.fingerprint(b"content"))
    ...     receipt = ledger.spend(asked, Cost.of_rho(0.01))
    ...     ledger.settle(receipt, reference="answers/1")
    ...     ledger.spend(asked, Cost.of_rho(0.01)).reference
    'answers/1'
    """

    def __init__(self, home: Path, *, create: bool = False, now: Callable[[], str] = utc_now) -> None:
        self.folder = home / FOLDER
        super().__init__(place=f"the ledger in {self.folder}", site="", anchor=home / ANCHOR, now=now)
        self._refuse_missing(create=create)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            self._secret = self._key()
            self._connection = self._connect()
            try:
                with self._telling():
                    self._begin_or_read()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def knows(self, *, sequence: int, mark: str) -> bool:
        """Tell whether an entry is held. See ``Ledger.knows``."""
        with self._telling():
            row = self._connection.execute("SELECT mark FROM entries WHERE sequence = ?", (sequence,)).fetchone()
        return row is not None and hmac.compare_digest(str(row[0]), mark)

    def verify(self) -> int:
        """Check every entry from the first on. See ``Ledger.verify``."""
        with self._locked(), self._telling():
            if self._connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise LedgerUnusable("the file of the ledger is damaged", hint=RESTORE)
            state = State()
            self._read_on(state)
            self._check_anchor(state)
        return state.sequence

    # ---- what lies on the disk

    def _refuse_missing(self, *, create: bool) -> None:
        if (self.folder / FILE).exists():
            if not (self.folder / KEY).exists():
                raise LedgerUnusable(f"the key {self.folder / KEY} of the ledger is missing", hint=RESTORE)
        elif self._anchor.exists():
            raise LedgerUnusable(
                f"there was a ledger in {self.folder}, and its file is gone",
                hint="restore it; what was spent is not known, so nothing more may be",
            )
        elif not create:
            raise LedgerUnusable(f"there is no ledger in {self.folder}", hint="gesalp ledger open begins one")

    def _key(self) -> bytes:
        path = self.folder / KEY
        if not path.exists():
            if (self.folder / FILE).exists():  # another process would have written the key first
                raise LedgerUnusable(f"the key {path} of the ledger is missing", hint=RESTORE)
            write_key(path)
        return read_key(path, hint=RESTORE)

    def _connect(self) -> sqlite3.Connection:
        path = self.folder / FILE
        with self._telling():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
        try:
            with self._telling():
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
        except LedgerUnusable:
            connection.close()
            raise
        return connection

    def _begin_or_read(self) -> None:
        if not self._connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'entries'").fetchone()[0]:
            if self._anchor.exists():
                raise LedgerUnusable(f"the ledger in {self.folder} is empty, and it was not", hint=RESTORE)
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in (TABLE, *GUARDS):
                self._connection.execute(statement)
            self._append(entries.begin_body(secrets.token_hex(16), at=self._now()))
            self._connection.execute("COMMIT")
        else:
            self._read_on(self._state)
            if not self._anchor.exists() and self._state.sequence > 1:
                raise LedgerUnusable(f"the anchor {self._anchor} of the ledger is missing", hint=RESTORE)
        if self._anchor.exists():
            self._check_anchor(self._state)
        self._write_anchor()

    def _read_on(self, state: State) -> None:
        rows = self._connection.execute(
            "SELECT sequence, body, mark FROM entries WHERE sequence > ? ORDER BY sequence", (state.sequence,)
        )
        for sequence, body, mark in rows:
            state.follow(sequence, str(body), str(mark), secret=self._secret)
        if state.sequence == 0:
            raise LedgerUnusable("the ledger holds no entry", hint=RESTORE)

    # ---- one writer at a time

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Hold the lock of this ledger; a process that dies lets go of it."""
        with contextlib.ExitStack() as held:
            with self._telling():
                try:
                    held.enter_context(locked(self.folder / LOCK, seconds=PATIENCE_SECONDS))
                except TimeoutError:
                    raise LedgerUnusable(
                        f"the ledger in {self.folder} was in use for {PATIENCE_SECONDS:g} s",
                        hint="nothing was charged; try again",
                    ) from None
            yield

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnusable(f"the ledger in {self.folder} cannot be used: {error}", hint=RESTORE) from error

    @contextlib.contextmanager
    def _writing(self) -> Generator[Callable[[str], None]]:
        """Read what others wrote, let one entry be written, commit it, move the anchor; only then return."""
        with self._locked(), self._telling():
            self._connection.execute("BEGIN IMMEDIATE")
            before = -1
            try:
                before = self._caught_up()
                yield self._append
                self._connection.execute("COMMIT")
            except BaseException:
                if self._state.sequence != before:
                    self._state = State()  # what was followed may not have been kept: read it all again
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if self._state.sequence != before:
                self._write_anchor()

    def _append(self, body: str) -> None:
        sequence = self._state.sequence + 1
        mark = entries.mark_of(sequence, body, self._state.mark, secret=self._secret)
        self._state.follow(sequence, body, mark, secret=self._secret)
        self._connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (sequence, body, mark))

    def _fresh(self) -> State:
        with self._locked(), self._telling():
            self._caught_up()
        return self._state
