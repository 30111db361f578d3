"""Keep a ledger in PostgreSQL, for many hosts: one chain, written under one lock, with the key on the hosts alone.

gesalp_ledger.entries             the chain of entries, in a schema of its own
HOME/ledger-postgresql/key        32 random bytes, mode 0600: the same on every host, copied by who runs them
HOME/ledger-postgresql.anchor     how far this host knows the chain to reach

Whoever administers the server can delete entries, and no host that knows them goes on then; without the key they
cannot write any.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import LiteralString, cast

import psycopg

from synth_worker.database.credentials import Credentials
from synth_worker.database.postgres_opening import Connection, connected
from synth_worker.database.postgres_tls import KNOWN, NEEDED
from synth_worker.errors import LedgerUnusable
from synth_worker.privacy import entries
from synth_worker.privacy.chain import Chain, utc_now
from synth_worker.privacy.entries import RESTORE, State
from synth_worker.privacy.holding import locked, read_key, write_key

LOG = logging.getLogger(__name__)

FOLDER, KEY, ANCHOR, LOCK = "ledger-postgresql", "key", "ledger-postgresql.anchor", "lock"
PATIENCE_SECONDS = 120.0
LOCK_NUMBER = 4_710_820_263
"""The advisory lock that every writer of a ledger takes, in its database."""

EXISTS: LiteralString = "SELECT to_regclass('gesalp_ledger.entries') IS NOT NULL"
TABLE: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS gesalp_ledger",
    "CREATE TABLE gesalp_ledger.entries (sequence bigint PRIMARY KEY, body text NOT NULL, mark text NOT NULL)",
    "CREATE FUNCTION gesalp_ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'entries are never changed'; END $$",
    "CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON gesalp_ledger.entries "
    "FOR EACH STATEMENT EXECUTE FUNCTION gesalp_ledger.refuse()",
)
"""The trigger is against slips of the pen; against intent stand the marks."""

SETTINGS: Mapping[str, str] = {
    "synchronous_commit": "on",
    "search_path": "pg_catalog",
    "statement_timeout": f"{PATIENCE_SECONDS:g}s",
    "idle_in_transaction_session_timeout": f"{PATIENCE_SECONDS:g}s",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
}
ON: LiteralString = "SELECT sequence, body, mark FROM gesalp_ledger.entries WHERE sequence > %s ORDER BY sequence"
HELD: LiteralString = "SELECT mark FROM gesalp_ledger.entries WHERE sequence = %s"
ADD: LiteralString = "INSERT INTO gesalp_ledger.entries VALUES (%s, %s, %s)"
LOCKED: LiteralString = "SELECT pg_advisory_xact_lock(%s)"


class PostgresLedger(Chain):
    """Keep account in a database of a server, for any number of hosts; ``home`` holds the key and the anchor.

    ``create`` makes a ledger where there has never been one; its role must be able to create. From then on a role needs
    USAGE of the schema and SELECT and INSERT of its table.

    Raises LedgerUnusable as ``FileLedger`` does, and where the server cannot be reached; DatabaseRefused for a server
    that is not proved.
    """

    def __init__(
        self,
        credentials: Mapping[str, object],
        home: Path,
        *,
        create: bool = False,
        site: str = "",
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._credentials = Credentials(credentials)
        self._credentials.check("postgresql", known=KNOWN, needed=NEEDED)
        self.folder = home / FOLDER
        host, database = self._credentials.text("host"), self._credentials.text("database")
        place = f"the ledger in {database!r} on {host}"
        super().__init__(place=place, site=site or socket.gethostname(), anchor=home / ANCHOR, now=now)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held: Connection | None = None
        try:
            with self._alone_here():
                with self._alone():
                    self._begin_or_read(create=create)
                with self._telling():
                    self._write_anchor()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the server."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def knows(self, *, sequence: int, mark: str) -> bool:
        """Tell whether an entry is held. See ``Ledger.knows``."""
        with self._telling():
            row = self._connection.execute(HELD, (sequence,)).fetchone()
        return row is not None and hmac.compare_digest(str(row[0]), mark)

    def verify(self) -> int:
        """Check every entry from the first on. See ``Ledger.verify``."""
        with self._alone_here(), self._alone():
            state = State()
            self._read_on(state)
            self._check_anchor(state)
        return state.sequence

    # ---- what lies on the server

    def _begin_or_read(self, *, create: bool) -> None:
        row = self._connection.execute(EXISTS).fetchone()
        if row is None or not row[0]:
            if self._anchor.exists():
                raise LedgerUnusable(f"there was {self._place}, and it is gone", hint=RESTORE)
            if not create:
                raise LedgerUnusable(f"there is not yet {self._place}", hint="gesalp ledger open begins it")
            if not (self.folder / KEY).exists():
                write_key(self.folder / KEY)
            self._secret = read_key(self.folder / KEY, hint=RESTORE)
            for statement in TABLE:
                self._connection.execute(statement)
            self._append(entries.begin_body(secrets.token_hex(16), at=self._now()))
            return
        if not (self.folder / KEY).exists():
            raise LedgerUnusable(
                f"the key {self.folder / KEY} of {self._place} is missing",
                hint="copy it, by a safe way, from the host that began the ledger, and keep its mode 0600",
            )
        self._secret = read_key(self.folder / KEY, hint=RESTORE)
        self._read_on(self._state)
        if self._anchor.exists():
            self._check_anchor(self._state)

    def _read_on(self, state: State) -> None:
        rows = cast("Iterable[tuple[int, str, str]]", self._connection.execute(ON, (state.sequence,)))
        for sequence, body, mark in rows:
            state.follow(sequence, body, mark, secret=self._secret)
        if state.sequence == 0:
            raise LedgerUnusable(f"{self._place} holds no entry", hint=RESTORE)

    def _append(self, body: str) -> None:
        sequence = self._state.sequence + 1
        mark = entries.mark_of(sequence, body, self._state.mark, secret=self._secret)
        self._state.follow(sequence, body, mark, secret=self._secret)
        self._connection.execute(ADD, (sequence, body, mark))

    @property
    def _connection(self) -> Connection:
        """Return the connection, a new one where the server has cut the last."""
        if self._held is None or self._held.closed:
            self._held = connected(self._credentials)
            self._held.autocommit = True
            for name, value in SETTINGS.items():
                self._held.execute("SELECT set_config(%s, %s, false)", (name, value))
            if self._held.execute("SHOW fsync").fetchone() != ("on",):
                LOG.warning("%s: the server runs without fsync, so a power cut can lose what was charged", self._place)
        return self._held

    # ---- one writer at a time

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except (psycopg.Error, OSError) as error:
            kind = type(error).__name__
        else:
            return
        # The driver's own words may quote what opens the server.
        raise LedgerUnusable(f"{self._place} cannot be used ({kind})", hint=RESTORE)

    @contextlib.contextmanager
    def _alone_here(self) -> Generator[None]:
        """Hold the lock of this host, under which the anchor is moved."""
        with contextlib.ExitStack() as held:
            with self._telling():
                try:
                    held.enter_context(locked(self.folder / LOCK, seconds=PATIENCE_SECONDS))
                except TimeoutError:
                    raise LedgerUnusable(
                        f"{self._place} was in use for {PATIENCE_SECONDS:g} s", hint="nothing was charged; try again"
                    ) from None
            yield

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        """Hold the lock of all hosts for one transaction, which ends with the block."""
        with self._telling(), self._connection.transaction():
            self._connection.execute(LOCKED, (LOCK_NUMBER,))
            yield

    @contextlib.contextmanager
    def _writing(self) -> Generator[Callable[[str], None]]:
        """Read what others wrote, let one entry be written, commit it, move the anchor; only then return."""
        with self._alone_here():
            before = -1
            try:
                with self._alone():
                    before = self._caught_up()
                    yield self._append
            except BaseException:
                if self._state.sequence != before:
                    self._state = State()  # what was followed may not have been kept: read it all again
                raise
            if self._state.sequence != before:
                with self._telling():
                    self._write_anchor()

    def _fresh(self) -> State:
        with self._alone_here(), self._alone():
            self._caught_up()
        return self._state
