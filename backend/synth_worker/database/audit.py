"""Keep the audit log: one line per event, on the disk before anything is asked, each with a mark over those before it.

HOME/audit/audit.jsonl   the lines; ``audit_line`` says what one is
HOME/audit/key           32 random bytes, mode 0600
HOME/audit.anchor        the head: how far the log is known to reach (``anchors``: a second one elsewhere)

A line that was edited, deleted, put elsewhere or made up without the key breaks the chain; lines missing at the end are
missed by the anchor. A last line that was not finished when the power went is cut off: nobody relied on it. The log
names the ledger's entry of each charge, and the ledger names the log, so that neither can be begun afresh alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import cast

from synth_worker.database.anchors import Anchor, anchors
from synth_worker.database.audit_line import NO_MARK, Head, check, line_of, mark_of
from synth_worker.errors import AuditUnusable
from synth_worker.privacy.chain import utc_now
from synth_worker.privacy.entries import Receipt
from synth_worker.privacy.holding import locked, read_key, write_key
from synth_worker.privacy.ledger import Ledger
from synth_worker.settings import Settings
from synth_worker.whole import sync

FOLDER, FILE, KEY, LOCK, ANCHOR = "audit", "audit.jsonl", "key", "lock", "audit.anchor"
PATIENCE_SECONDS = 60.0
BEGUN, CHARGED = "begun", "charged"
TROUBLE = "nothing is asked until this is explained; gesalp audit verify says where"

Line = Mapping[str, object]


class AuditLog:
    """Keep the log in ``home``, for any number of processes and threads of one machine.

    ``anchor`` names a second place for the head (``anchors.anchors``); ``create`` begins a log where there never was
    one. Raises AuditUnusable for a log that is missing, changed, shorter than its anchor knows, or not to be written.

    >>> import tempfile
    >>> log = AuditLog(Path(tempfile.mkdtemp()), create=True)
    >>> log.record({"event": "asked", "columns": ["age"]})
    >>> [line["event"] for line in log.lines()], log.verify().sequence
    (['begun', 'asked'], 2)
    """

    def __init__(self, home: Path, *, anchor: str = "", create: bool = False, now: Callable[[], str] = utc_now) -> None:
        self.path = home / FOLDER / FILE
        self._now = now
        self._anchors: tuple[Anchor, ...] = anchors(home / ANCHOR, anchor)
        self._head = Head("", 0, NO_MARK)
        self._offset = 0
        self._charged: tuple[int, str] | None = None
        self._refuse_missing(create=create)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            self._secret = self._key()
            if not self.path.exists():
                self._begin()
            self._catch_up()

    @property
    def name(self) -> str:
        """Return the log's own name, drawn when it was begun."""
        return self._head.log

    @property
    def head(self) -> Head:
        """Return how far the log reached when it was last looked at."""
        return self._head

    @property
    def last_charge(self) -> tuple[int, str] | None:
        """Return the ledger's entry (number and mark) of the last charge that the log knows."""
        return self._charged

    def record(self, event: Mapping[str, object]) -> None:
        """Write an event down and return once it, and the head elsewhere, are on the disk. Raises AuditUnusable."""
        with self._locked():
            self._catch_up()
            self._append(event)

    def lines(self) -> Iterator[Line]:
        """Yield the lines as they stand. See ``lines_of``."""
        return lines_of(self.path)

    def verify(self, head: Head | None = None) -> Head:
        """Check every line from the first on, the anchors, and a ``head`` known from elsewhere; return the last line's.

        Raises AuditUnusable, naming the first line that is wrong.
        """
        with self._locked():
            self._head, self._offset = Head("", 0, NO_MARK), 0
            marks = self._catch_up(also=head)
            if head is not None:
                self._check_known(head, marks, "the head that was given")
        return self._head

    # ---- what lies on the disk

    def _refuse_missing(self, *, create: bool) -> None:
        if self.path.exists():
            return
        for one in self._anchors:
            known = one.held()
            if known is not None:
                raise AuditUnusable(
                    f"there was an audit log {self.path} of {known.sequence} lines, and it is gone", hint=TROUBLE
                )
        if not create:
            raise AuditUnusable(f"there is no audit log {self.path}", hint="the first request to a database begins one")

    def _key(self) -> bytes:
        path = self.path.parent / KEY
        with self._telling():
            if not path.exists():
                if self.path.exists():
                    raise AuditUnusable(f"the key {path} of the audit log is missing", hint=TROUBLE)
                write_key(path)
            return read_key(path, hint=TROUBLE)

    def _begin(self) -> None:
        with self._telling():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            sync(self.path.parent)
        self._append({"event": BEGUN, "log": secrets.token_hex(16)})

    def _append(self, event: Mapping[str, object]) -> None:
        sequence = self._head.sequence + 1
        line = line_of(sequence, self._now(), event, before=self._head.mark, secret=self._secret)
        with self._telling():
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                whole = line + b"\n"
                while whole:
                    whole = whole[os.write(handle, whole) :]
                os.fsync(handle)
            finally:
                os.close(handle)
        self._follow(line, sequence, mark_of(line))
        for one in self._anchors:
            one.note(self._head)

    def _follow(self, line: bytes, sequence: int, mark: str) -> None:
        log = self._head.log
        if sequence == 1:
            log = str(json.loads(line)["log"])
        elif b'"event":"charged"' in line:
            row = json.loads(line)
            if row.get("event") == CHARGED and row.get("ledger_mark"):
                self._charged = (int(row["ledger_entry"]), str(row["ledger_mark"]))
        self._head = Head(log, sequence, mark)
        self._offset += len(line) + 1

    def _catch_up(self, *, also: Head | None = None) -> dict[int, str]:
        """Follow what others wrote, check the anchors; return the marks of the lines that they and ``also`` name."""
        known = [held for held in (one.held() for one in self._anchors) if held is not None]
        asked = {one.sequence for one in (*known, *([also] if also else []))}
        marks = {self._head.sequence: self._head.mark}
        torn = b""
        with self._telling(), self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._offset:
                raise AuditUnusable(f"the audit log {self.path} lost lines while it was in use", hint=TROUBLE)
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    torn = raw
                    break
                sequence = self._head.sequence + 1
                mark = check(raw[:-1], sequence, before=self._head.mark, secret=self._secret)
                if not mark:
                    raise AuditUnusable(
                        f"line {sequence} of the audit log was changed, moved, or follows one that is gone",
                        hint=TROUBLE,
                    )
                self._follow(raw[:-1], sequence, mark)
                if sequence in asked:
                    marks[sequence] = mark
        for one in known:
            self._check_known(one, marks, "its anchor")
        if self._head.sequence > 1 and self._anchors[0].held() is None:
            raise AuditUnusable(f"the anchor of the audit log {self.path} is missing", hint=TROUBLE)
        if torn:
            self._cut(len(torn))
        if not self._head.sequence:
            raise AuditUnusable(f"the audit log {self.path} is empty", hint=TROUBLE)
        return marks

    def _check_known(self, known: Head, marks: Mapping[int, str], who: str) -> None:
        if known.log != self._head.log:
            raise AuditUnusable(f"the audit log {self.path} is not the one that {who} knows", hint=TROUBLE)
        if known.sequence > self._head.sequence:
            raise AuditUnusable(
                f"the audit log ends at line {self._head.sequence}; {who} knows {known.sequence}", hint=TROUBLE
            )
        # An anchor behind what was followed before was checked when it was written.
        if marks.get(known.sequence, known.mark) != known.mark:
            raise AuditUnusable(f"line {known.sequence} of the audit log is not the one that {who} knows", hint=TROUBLE)

    def _cut(self, size: int) -> None:
        """Cut off a last line that was never finished: no anchor knows it, so nothing was asked on it."""
        with self._telling():
            os.truncate(self.path, self._offset)
            sync(self.path)
        self._append({"event": "cut", "what": f"a last line of {size} bytes was not finished and is cut off"})

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        with contextlib.ExitStack() as held:
            with self._telling():
                try:
                    held.enter_context(locked(self.path.parent / LOCK, seconds=PATIENCE_SECONDS))
                except TimeoutError:
                    raise AuditUnusable(
                        f"the audit log {self.path} was in use for {PATIENCE_SECONDS:g} s", hint="try again"
                    ) from None
            yield

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise AuditUnusable(
                f"the audit log {self.path} cannot be used: {error.strerror}", hint="nothing is asked without it"
            ) from error


def lines_of(path: Path) -> Iterator[Line]:
    """Yield the lines of a log as they stand, whether their marks are right or not; what is none as ``unreadable``."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            yield cast("Line", line) if isinstance(line, dict) else {"sequence": number, "event": "unreadable"}


def charge_of(receipt: Receipt) -> Line:
    """Return the event that something was charged: the log and the ledger can be compared by it from then on."""
    return {
        "event": CHARGED,
        "rho_nano": receipt.charged.rho_nano,
        "ledger_entry": receipt.sequence,
        "ledger_mark": receipt.mark,
    }


def open_audit(settings: Settings, ledger: Ledger) -> AuditLog:
    """Open the log of the settings beside its ledger, each of which must know the other; begin both together.

    Raises AuditUnusable where the ledger knows a log that is gone or another, the log a charge that the ledger lacks.
    """
    known = ledger.audit_log()
    log = AuditLog(settings.folder, anchor=settings.audit_anchor, create=not known)
    if known and log.name != known:
        raise AuditUnusable(f"the audit log {log.path} is not the one that the ledger knows", hint=TROUBLE)
    charge = log.last_charge
    if charge is not None and not ledger.knows(sequence=charge[0], mark=charge[1]):
        raise AuditUnusable(
            f"the audit log knows entry {charge[0]} of the ledger, and the ledger does not",
            hint="the ledger was set back or begun afresh; nothing more may be spent from it",
        )
    if not known:
        ledger.note_audit_log(log.name)
    return log
