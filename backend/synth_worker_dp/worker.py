"""Take queued private runs and carry them out: ``python -m synth_worker_dp.worker --queue DIR``.

DIR/incoming/ID.json   a run that waits; whoever puts it there writes it whole (a temporary name, then a rename)
DIR/running/ID.json    claimed by a rename; the worker holds a lock on it as long as it lives. ID.tries counts
DIR/done/ID/           the released folder of a run; internal/ is for the data holder
DIR/done/ID.json       how it ended: exit code, message; written whole, last

The worker alone holds the ledger and its key. Populations are opened by their owner, never by a run. A run whose
worker died is taken up by the next: before the ledger was asked it is begun anew, three times at most; once it was
charged it is never begun anew, an answer that lies complete is released, and any other is lost and told so.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import cast

import pyarrow

from synth_worker.database.ledgers import open_ledger
from synth_worker.errors import BadInput, GesalpError, LedgerUnusable
from synth_worker.privacy.ledger import Ledger
from synth_worker.private_run import PrivateAsk
from synth_worker.private_storage import INTERNAL, SPENT, Left, PrivateFolder
from synth_worker.private_synthesis import synthesize_private
from synth_worker.schema import Schema
from synth_worker.settings import Settings
from synth_worker.storage import RUN
from synth_worker.whole import sync, write_text_whole

INCOMING, RUNNING, DONE = "incoming", "running", "done"
MOST_TRIES = 3
PAUSE_SECONDS = 0.5
LOST = "its worker ended after the charge and before the answer was complete; what it cost is lost"

log = logging.getLogger("gesalp.dp")


@dataclass(frozen=True)
class Queued:
    """Hold a run as it is queued: the table's path, its schema, what is asked."""

    table: Path
    schema: Schema
    ask: PrivateAsk


def read_queued(path: Path) -> Queued:
    """Read a queued run. Raises BadInput for a key that is not known or lacking, and for senseless values."""
    try:
        row = cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
        table, schema = Path(str(row.pop("table"))), Schema.from_json(json.dumps(row.pop("schema")))
        ask = PrivateAsk(**row)  # pyright: ignore[reportArgumentType]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"the queued run {path.stem} cannot be read: {error}",
            hint="it is a JSON object of table, schema and the fields of PrivateAsk",
        ) from error
    return Queued(table, schema, ask)


@dataclass(frozen=True)
class Queue:
    """Keep queued runs in folders."""

    path: Path

    def prepare(self) -> None:
        """Make the folders."""
        for name in (INCOMING, RUNNING, DONE):
            (self.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def claim(self) -> Path | None:
        """Take the oldest waiting run; None where there is none."""
        for path in sorted((self.path / INCOMING).glob("*.json"), key=_age):
            target = self.path / RUNNING / path.name
            try:
                path.rename(target)
            except FileNotFoundError:
                continue  # another worker was quicker
            return target
        return None

    def abandoned(self) -> Iterator[Path]:
        """Give the runs that are claimed; those with a living worker are locked."""
        yield from sorted((self.path / RUNNING).glob("*.json"))

    def tries(self, claimed: Path) -> int:
        """Count a try, durably, and return how many there were with it."""
        path = claimed.with_suffix(".tries")
        count = int(path.read_text(encoding="utf-8")) + 1 if path.exists() else 1
        write_text_whole(path, str(count))
        return count

    def end(self, claimed: Path, result: Mapping[str, object]) -> None:
        """Write how a run ended, whole, then forget the claim."""
        write_text_whole(self.path / DONE / claimed.name, json.dumps(result, indent=1))
        claimed.with_suffix(".tries").unlink(missing_ok=True)
        claimed.unlink()
        sync(self.path / RUNNING)

    def folder(self, claimed: Path) -> PrivateFolder:
        """Return where a run is released."""
        return PrivateFolder(self.path / DONE / claimed.stem)


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name


def carry_out(queue: Queue, claimed: Path, ledger: Ledger) -> bool:
    """Carry out a claimed run, or take it up; return False where a living worker holds it."""
    try:
        handle = os.open(claimed, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if claimed.exists():  # it may have ended between listing and locking
            result = _result(queue, claimed, ledger)
            log.info("run %s ended with %s", claimed.stem, result["exit_code"])
            queue.end(claimed, result)
        return True
    finally:
        os.close(handle)


def _result(queue: Queue, claimed: Path, ledger: Ledger) -> Mapping[str, object]:
    folder = queue.folder(claimed)
    if (folder.path / RUN).exists():
        settle_released(folder, ledger)
        return _told(0)
    left = folder.left()
    if left is Left.LOST:
        return _told(1, message=LOST)
    if left is not Left.COMPLETE and queue.tries(claimed) > MOST_TRIES:
        return _told(1, message=f"its worker ended {MOST_TRIES} times before anything was charged")
    try:
        queued = read_queued(claimed)
        synthesize_private(queued.table, queued.ask, schema=queued.schema, out=folder.path, ledger=ledger)
    except LedgerUnusable:
        raise
    except GesalpError as error:
        return _told(error.exit_code, message=str(error))
    return _told(0)


def settle_released(folder: PrivateFolder, ledger: Ledger) -> None:
    """Tell the ledger of an answer that was released when its worker ended."""
    if not (folder.path / INTERNAL / SPENT).exists():
        return  # an earlier answer, handed out again
    receipt = folder.receipt(released=True)
    if not ledger.settled(receipt):
        ledger.settle(receipt, reference=str(folder.path.resolve()))


def _told(code: int, *, message: str = "") -> Mapping[str, object]:
    return {"exit_code": code, "message": message}


def check_known(queue: Queue, ledger: Ledger) -> None:
    """Refuse a ledger that does not know what earlier runs were paid with. Raises LedgerUnusable."""
    for path in sorted((queue.path / DONE).glob(f"*/{INTERNAL}/{SPENT}")):
        receipt = PrivateFolder(path.parents[1]).receipt(released=True)
        if not ledger.knows(sequence=receipt.sequence, mark=receipt.mark):
            raise LedgerUnusable(
                f"the ledger does not know entry {receipt.sequence}, which paid for {path.parents[1]}",
                hint="it was set back or is another; nothing more may be spent from it",
            )


class Stop:
    """Remember that the worker was told to end: the run that it is at is finished first, as it may be charged."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def work(queue: Queue, ledger: Ledger, *, stop: Stop, once: bool) -> None:
    """Take up what others left, then carry out what waits; ``once`` ends where nothing waits."""
    queue.prepare()
    check_known(queue, ledger)
    while not stop.asked:
        for claimed in queue.abandoned():
            if stop.asked:
                return
            carry_out(queue, claimed, ledger)
        claimed = None if stop.asked else queue.claim()
        if claimed is not None:
            carry_out(queue, claimed, ledger)
        elif once:
            return
        else:
            time.sleep(PAUSE_SECONDS)


def main(words: list[str] | None = None) -> int:
    """Work until told to end; return 0, or the exit code of a refusal."""
    parser = argparse.ArgumentParser(prog="python -m synth_worker_dp.worker", description="Carry out private runs.")
    parser.add_argument("--queue", type=Path, required=True, help="the folder with incoming, running and done")
    parser.add_argument("--once", action="store_true", help="end where nothing waits")
    asked = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = Stop()
    # Else pyarrow breaks off reading at a signal, and the table would be told unreadable.
    pyarrow.enable_signal_handlers(False)  # noqa: FBT003
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        with open_ledger(Settings()) as ledger:
            work(Queue(asked.queue), ledger, stop=stop, once=asked.once)
    except GesalpError as error:
        log.error("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
