"""Promises of the audit log: written before anything is asked, whole after a crash, and every change of it is found."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synth_worker.database.anchors import SyslogAnchor
from synth_worker.database.audit import ANCHOR, FILE, FOLDER, KEY, AuditLog, open_audit
from synth_worker.database.audit_line import MOST_TEXT, Head, line_of, mark_of
from synth_worker.errors import AuditUnusable, BadInput, LedgerUnusable
from synth_worker.privacy.budget import Budget, Cost
from synth_worker.privacy.entries import Request
from synth_worker.privacy.ledger_file import FOLDER as LEDGER
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.settings import Settings

LINES = 1_000
Tampered = Callable[[list[bytes]], bool]


def log_file(home: Path) -> Path:
    return home / FOLDER / FILE


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose log has a thousand lines."""
    home = tmp_path_factory.mktemp("audit")
    log = AuditLog(home, create=True)
    grow(home, log.head, LINES - 1)
    return home


def grow(home: Path, head: Head, lines: int) -> None:
    """Write lines up to a number as the log itself does, but for waiting for the disk a thousand times."""
    secret, before, written = (home / FOLDER / KEY).read_bytes(), head.mark, b""
    for number in range(head.sequence + 1, lines + 1):
        event = {"event": "asked", "actor": "uid 7", "columns": ["age", "sex"], "epsilon": 0.1 * number}
        line = line_of(number, "2024-01-01T00:00:00Z", event, before=before, secret=secret)
        before, written = mark_of(line), written + line + b"\n"
    with log_file(home).open("ab") as file:
        file.write(written)
    AuditLog(home).record({"event": "asked"})


def found(home: Path) -> bool:
    """Tell whether a log is refused, by who opens it and by who verifies it."""
    try:
        AuditLog(home)
    except AuditUnusable:
        return True
    return False


@pytest.fixture
def tampered(long: Path) -> Iterator[Tampered]:
    """Return a function that writes other lines in place of the log's, and says whether that is found."""
    whole = log_file(long).read_bytes()

    def write(lines: list[bytes]) -> bool:
        log_file(long).write_bytes(b"".join(lines))
        return found(long)

    yield write
    log_file(long).write_bytes(whole)
    assert not found(long)


def lines_of(home: Path) -> list[bytes]:
    return log_file(home).read_bytes().splitlines(keepends=True)


def test_every_edit_of_a_single_line_is_found(long: Path, tampered: Tampered) -> None:
    lines = lines_of(long)
    assert len(lines) == LINES
    for at, line in enumerate(lines):
        # Another byte in turn: in the name, the figures, the mark, the end.
        place = (at * 37) % (len(line) - 1)
        changed = line[:place] + (b"7" if line[place : place + 1] != b"7" else b"8") + line[place + 1 :]
        assert tampered([*lines[:at], changed, *lines[at + 1 :]]), at


def test_every_deletion_of_a_line_is_found(long: Path, tampered: Tampered) -> None:
    lines = lines_of(long)
    for at in range(LINES):
        assert tampered([*lines[:at], *lines[at + 1 :]]), at


def test_every_swap_of_neighbours_and_every_doubled_line_is_found(long: Path, tampered: Tampered) -> None:
    lines = lines_of(long)
    for at in range(LINES - 1):
        assert tampered([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]), at
    for at in range(0, LINES, 50):
        assert tampered([*lines[: at + 1], *lines[at:]]), at


def test_every_truncation_is_found(long: Path, tampered: Tampered) -> None:
    lines = lines_of(long)
    for at in range(LINES):
        assert tampered(lines[:at]), at
    for cut in (1, 40, 80):  # within the last line
        assert tampered([*lines[:-1], lines[-1][:-cut]]), cut


def test_a_line_made_up_without_the_key_and_another_key_are_found(
    long: Path, tampered: Tampered, tmp_path: Path
) -> None:
    other = AuditLog(tmp_path, create=True)
    grow(tmp_path, other.head, LINES)
    lines, foreign = lines_of(long), lines_of(tmp_path)
    assert tampered([*lines, foreign[LINES]])
    assert tampered(foreign[:LINES])
    assert tampered([lines[0][:-1] + b" \n", *lines[1:]])


def test_verify_names_the_line_and_a_head_from_elsewhere_is_compared(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, create=True)
    for number in range(5):
        log.record({"event": "asked", "rows": number})
    middle = log.head
    log.record({"event": "asked"})
    assert log.verify(middle).sequence == 7
    assert AuditLog(tmp_path).verify(middle) == log.head
    with pytest.raises(AuditUnusable, match="not the one that the head that was given knows"):
        log.verify(Head(middle.log, middle.sequence, "0" * 64))
    with pytest.raises(AuditUnusable, match="knows 9"):
        log.verify(Head(middle.log, 9, middle.mark))
    with pytest.raises(AuditUnusable, match="is not the one"):
        log.verify(Head("another", middle.sequence, middle.mark))
    lines = lines_of(tmp_path)
    log_file(tmp_path).write_bytes(b"".join([*lines[:3], lines[3].replace(b'"rows":2', b'"rows":3'), *lines[4:]]))
    with pytest.raises(AuditUnusable, match="line 4 of the audit log was changed"):
        log.verify()


def test_a_log_that_is_gone_and_one_without_its_anchor_or_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditUnusable, match="there is no audit log"):
        AuditLog(tmp_path)
    AuditLog(tmp_path, create=True).record({"event": "asked"})
    for path in (tmp_path / FOLDER / KEY, tmp_path / ANCHOR, log_file(tmp_path)):
        path.rename(tmp_path / "away")
        with pytest.raises(AuditUnusable, match=r"missing|gone"):
            AuditLog(tmp_path, create=True)
        (tmp_path / "away").rename(path)
    (tmp_path / FOLDER / KEY).chmod(0o644)
    with pytest.raises(LedgerUnusable, match="can be read by others"):
        AuditLog(tmp_path)


def test_a_second_anchor_finds_what_was_set_back_with_the_first(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere.head"
    home.mkdir()
    log = AuditLog(home, anchor=str(elsewhere), create=True)
    log.record({"event": "asked"})
    before = {path: path.read_bytes() for path in (log_file(home), home / ANCHOR)}
    log.record({"event": "asked"})
    for path, content in before.items():
        path.write_bytes(content)
    assert AuditLog(home).head.sequence == 2
    with pytest.raises(AuditUnusable, match="ends at line 2; its anchor knows 3"):
        AuditLog(home, anchor=str(elsewhere))
    with pytest.raises(AuditUnusable, match="cannot be written"):
        AuditLog(home, anchor=str(tmp_path / "no" / "folder")).record({"event": "asked"})


def test_the_head_goes_to_the_system_log_and_nothing_is_asked_where_that_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        log = AuditLog(tmp_path, anchor=f"syslog:{path}", create=True)
        log.record({"event": "asked"})
        told = [listening.recv(1_000).decode() for _ in range(2)]
    assert told[1].startswith("<85>gesalp[")
    assert told[1].endswith(f"audit {log.head}")
    with pytest.raises(AuditUnusable, match="takes nothing"):
        log.record({"event": "asked"})
    with pytest.raises(AuditUnusable, match="takes nothing"):
        SyslogAnchor(str(tmp_path / "nowhere")).note(log.head)


def test_a_line_that_a_crash_left_unfinished_is_cut_off_and_that_is_told(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, create=True)
    log.record({"event": "asked"})
    with log_file(tmp_path).open("ab") as file:
        file.write(b'{"sequence":3,"at":"2024')
    again = AuditLog(tmp_path)
    again.record({"event": "asked"})
    assert [line["event"] for line in again.lines()] == ["begun", "asked", "cut", "asked"]
    assert log.verify().sequence == 4


def test_a_line_that_no_anchor_has_noted_yet_counts(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, create=True)
    log.record({"event": "asked"})
    before = (tmp_path / ANCHOR).read_bytes()
    log.record({"event": "asked"})
    (tmp_path / ANCHOR).write_bytes(before)
    assert AuditLog(tmp_path).head.sequence == 3


WRITER = """
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from synth_worker.database.audit import AuditLog
log = AuditLog(Path(sys.argv[1]), create=True)
for number in range(int(sys.argv[2])):
    log.record({"event": "asked", "actor": sys.argv[3], "rows": number})
"""


def test_many_processes_write_one_chain_and_none_loses_a_line(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "20", str(worker)], env=dict(os.environ))
        for worker in range(6)
    ]
    assert [one.wait(timeout=120) for one in workers] == [0] * 6
    log = AuditLog(tmp_path)
    assert log.verify().sequence == 1 + 6 * 20
    for worker in range(6):
        assert [line["rows"] for line in log.lines() if line.get("actor") == str(worker)] == list(range(20))


def test_a_line_is_one_line_of_bounded_length_whatever_it_is_told(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, create=True)
    log.record(
        {
            "event": "refused",
            "columns": ["a\nb", 'c"d', "\u2028", "x" * 10**6] * 1_000,
            "epsilon": float("nan"),
            "mark": "0" * 64,
            "sequence": 99,
            "what": '{"event":"charged"}',
        }
    )
    assert log.verify().sequence == 2
    last = list(log.lines())[-1]
    assert last["sequence"] == 2
    assert last["epsilon"] == "nan"
    assert last["columns"][:2] == ["a\nb", 'c"d']  # type: ignore[index]
    assert max(len(one) for one in last["columns"]) == MOST_TEXT  # type: ignore[union-attr]
    assert log.last_charge is None
    assert log_file(tmp_path).read_bytes().count(b"\n") == 2


def test_the_log_is_its_owners_alone(tmp_path: Path) -> None:
    AuditLog(tmp_path, create=True)
    assert log_file(tmp_path).stat().st_mode & 0o077 == 0
    assert (tmp_path / FOLDER).stat().st_mode & 0o077 == 0


# ---- the log and the ledger know each other


def charged(settings: Settings) -> None:
    """Spend once, as a request does: the log knows the ledger's entry."""
    with FileLedger(settings.folder, create=True) as ledger:
        log = open_audit(settings, ledger)
        ledger.open("ward", Budget(1.0, 1e-6))
        receipt = ledger.spend(Request("ward", "ada", "{}", ledger.fingerprint(b"x")), Cost.of_rho(0.001))
        log.record({"event": "charged", "ledger_entry": receipt.sequence, "ledger_mark": receipt.mark})


def test_a_log_that_the_ledger_knows_and_that_is_gone_refuses(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    charged(settings)
    charged_again = AuditLog(tmp_path).last_charge
    assert charged_again is not None
    log_file(tmp_path).unlink()
    (tmp_path / ANCHOR).unlink()
    (tmp_path / FOLDER / KEY).unlink()
    with FileLedger(tmp_path) as ledger:
        with pytest.raises(AuditUnusable, match="there is no audit log"):
            open_audit(settings, ledger)
        AuditLog(tmp_path, create=True)
        with pytest.raises(AuditUnusable, match="not the one that the ledger knows"):
            open_audit(settings, ledger)
        with pytest.raises(BadInput, match="another audit log"):
            ledger.note_audit_log("another")


def test_a_ledger_that_the_log_knows_and_that_is_begun_afresh_refuses(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    charged(settings)
    for path in [*(tmp_path / LEDGER).iterdir(), tmp_path / "ledger.anchor"]:
        path.unlink()
    with FileLedger(tmp_path, create=True) as ledger, pytest.raises(AuditUnusable, match="the ledger does not"):
        open_audit(settings, ledger)


def test_both_go_on_together(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audit_anchor=str(tmp_path / "elsewhere"))
    charged(settings)
    charged(settings)
    assert Head.parse((tmp_path / "elsewhere").read_text()) == AuditLog(tmp_path).head
    assert json.loads(log_file(tmp_path).read_bytes().splitlines()[-1])["event"] == "charged"
