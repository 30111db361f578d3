"""Turn what ended a command into an exit code and a sentence; no user of the command line sees a traceback.

0 green, 4 amber, 3 red or suspicious (``gates.EXIT_CODES``); 2 bad input; 5 the privacy budget does not
hold it; 6 the ledger cannot be used; 130 cancelled; 1 a bug.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType

import typer

from synth_worker.errors import BudgetExceeded, Cancelled, GesalpError, LedgerUnusable

BUG = 1
BAD_INPUT = GesalpError.exit_code
BUDGET_EXCEEDED = BudgetExceeded.exit_code
LEDGER_UNUSABLE = LedgerUnusable.exit_code
CANCELLED = 130

REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR})
"""What the operating system refuses for reasons that its user can mend."""


def say(text: str) -> None:
    """Write a line to standard error."""
    typer.echo(text, err=True)


class Guard:
    """Stand around a command: a refusal becomes a sentence, a bug becomes a log and a sentence.

    ``folder`` is the run's folder, for the log and for removing the real rows in ``.work``; a command that has none
    logs into the temporary folder. ``as_json`` writes the sentence as a JSON line.
    """

    def __init__(self, *, folder: Path | None = None, as_json: bool = False, debug: bool = False) -> None:
        self.folder = folder
        self.as_json = as_json
        self.debug = debug

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, typer.Exit | typer.Abort | typer.BadParameter | BrokenPipeError):
            return
        if not isinstance(error, Exception | KeyboardInterrupt):
            return
        drop_real_rows(self.folder)
        if isinstance(error, KeyboardInterrupt | Cancelled):
            self._tell("cancelled", self._kept(), CANCELLED)
        elif isinstance(error, GesalpError):
            if self.debug:
                traceback.print_exception(error)
            self._tell(error.message, error.hint, error.exit_code)
        elif isinstance(error, OSError) and error.errno in REFUSALS:
            where = f" ({error.filename})" if error.filename else ""
            self._tell(f"the system refused: {error.strerror}{where}", "nothing else is wrong", BAD_INPUT)
        elif isinstance(error, MemoryError):
            self._tell("memory ran out", "use fewer rows or columns, or a machine with more memory", BUG)
        else:
            self._bug(error)

    def _kept(self) -> str:
        if self.folder is not None and (self.folder / "attempts").is_dir():
            return f"finished attempts are kept in {self.folder}; repeat the same command with --resume"
        return "nothing was finished that could be kept"

    def _tell(self, message: str, hint: str, code: int) -> None:
        if self.as_json:
            say(json.dumps({"event": "error", "message": message, "hint": hint, "exit_code": code}))
        else:
            say(f"gesalp: {message}" + (f"\n        {hint}" if hint else ""))
        raise typer.Exit(code)

    def _bug(self, error: Exception) -> None:
        name = type(error).__name__
        if self.debug:
            traceback.print_exception(error)
            self._tell(f"this is a bug in gesalp: {name}", "the traceback stands above", BUG)
        log = self._write_log(error)
        self._tell(
            f"this is a bug in gesalp: {name}",
            f"the traceback is in {log}; it may hold values of your table, so look through it before you pass it on",
            BUG,
        )

    def _write_log(self, error: Exception) -> Path:
        text = "".join(traceback.format_exception(error))
        if self.folder is not None and self.folder.is_dir():
            path = self.folder / "error.log"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
            return path
        handle, name = tempfile.mkstemp(prefix="gesalp-error-", suffix=".log", text=True)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(name)


def drop_real_rows(folder: Path | None) -> None:
    """Remove the private folder of a run that ends early; only where the folder holds a run of ours."""
    if folder is not None and (folder / "request.json").exists():
        shutil.rmtree(folder / ".work", ignore_errors=True)


def leave_at_once(folder: Path | None) -> None:
    """End the process now, without unwinding: the answer to a second Ctrl-C."""
    drop_real_rows(folder)
    sys.stdout.flush()
    os._exit(CANCELLED)
