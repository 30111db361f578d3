"""Note elsewhere how far the audit log reaches, so that a shorter one, or another one, is found out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Protocol

from synth_worker.database.audit_line import Head
from synth_worker.errors import AuditUnusable
from synth_worker.whole import write_text_whole

SYSLOG = "syslog"
SOCKETS = ("/dev/log", "/var/run/syslog")
NOTICE_OF_AUTHORISATION = 10 * 8 + 5
"""Facility authpriv, severity notice (RFC 5424, section 6.2.1)."""


class Anchor(Protocol):
    """Be a place to which the head is told; some can tell it back."""

    def held(self) -> Head | None:
        """Return the last head that was noted; None where none was, or where the place tells nothing back."""
        ...

    def note(self, head: Head) -> None:
        """Note a head and return once it is kept. Raises AuditUnusable where it cannot be."""
        ...


class FileAnchor:
    """Keep the head in a file of its own; best on another disk, or under another account's eyes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def held(self) -> Head | None:
        """Return the head. Raises AuditUnusable for a file that holds none."""
        try:
            return Head.parse(self.path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise AuditUnusable(f"the anchor {self.path} of the audit log cannot be read") from error

    def note(self, head: Head) -> None:
        """Replace the file by one with this head."""
        try:
            write_text_whole(self.path, f"{head}\n")
        except OSError as error:
            raise AuditUnusable(
                f"the anchor {self.path} of the audit log cannot be written: {error.strerror}",
                hint="nothing is asked without it",
            ) from error


class SyslogAnchor:
    """Send the head to the system's log, which may pass it on to another machine; it is read by people."""

    def __init__(self, path: str = "") -> None:
        self.path = path or next((one for one in SOCKETS if Path(one).exists()), SOCKETS[0])

    def held(self) -> None:
        """Return nothing: what was sent cannot be asked back."""

    def note(self, head: Head) -> None:
        """Send a line to the system's log."""
        text = f"<{NOTICE_OF_AUTHORISATION}>gesalp[{os.getpid()}]: audit {head}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(self.path)
                sender.send(text.encode())
        except OSError as error:
            raise AuditUnusable(
                f"the system's log {self.path} takes nothing: {error.strerror}",
                hint="GESALP_AUDIT_ANCHOR=syslog needs one; nothing is asked without it",
            ) from error


def anchors(beside: Path, setting: str) -> tuple[Anchor, ...]:
    """Return the anchor beside the log's folder and the one that the setting names: a file, ``syslog[:SOCKET]``."""
    first = FileAnchor(beside)
    if not setting:
        return (first,)
    kind, _colon, rest = setting.partition(":")
    return (first, SyslogAnchor(rest) if kind == SYSLOG else FileAnchor(Path(setting).expanduser()))
