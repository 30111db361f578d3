"""Say what a line of the audit log is: JSON of names and figures that ends with a keyed mark over all before it."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

NO_MARK = "0" * 64
MOST_TEXT, MOST_NAMES = 300, 200
"""Longer texts and lists are cut: a log that a request could fill would be a way to stop it."""

_MARK = b',"mark":"'


@dataclass(frozen=True)
class Head:
    """Name how far a log reaches: its name, its last line, the mark of that.

    >>> Head.parse("ab 12 " + "0" * 64).sequence
    12
    """

    log: str
    sequence: int
    mark: str

    def __str__(self) -> str:
        return f"{self.log} {self.sequence} {self.mark}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what ``str`` writes. Raises ValueError."""
        log, sequence, mark = text.split()
        if len(mark) != len(NO_MARK):
            raise ValueError("a mark has 64 digits")
        return cls(log, int(sequence), mark)


def plain(value: object) -> object:
    """Return a value as the log may hold it: a figure, a text of bounded length, or a list or mapping of these.

    >>> plain({"columns": ("age",), "epsilon": float("nan")})
    {'columns': ['age'], 'epsilon': 'nan'}
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name)[:MOST_TEXT]: plain(one) for name, one in list(value.items())[:MOST_NAMES]}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value[:MOST_NAMES]]
    return str(value)[:MOST_TEXT]


def line_of(sequence: int, at: str, event: Mapping[str, object], *, before: str, secret: bytes) -> bytes:
    """Return a line without its end: the event in one form (keys in order), and the mark over it and the mark before.

    >>> line = line_of(1, "2024-01-01T00:00:00Z", {"event": "asked"}, before=NO_MARK, secret=b"k")
    >>> line[:66]
    b'{"sequence":1,"at":"2024-01-01T00:00:00Z","event":"asked","mark":"'
    >>> check(line, 1, before=NO_MARK, secret=b"k") == mark_of(line)
    True
    """
    own = {name: plain(value) for name, value in sorted(event.items()) if name not in ("sequence", "at", "mark")}
    body = json.dumps({"sequence": sequence, "at": at, **own}, separators=(",", ":"), allow_nan=False)
    text = body.encode()[:-1]
    return text + _MARK + _digest(text, before, secret).encode() + b'"}'


def check(line: bytes, sequence: int, *, before: str, secret: bytes) -> str:
    """Return the mark of a line that may stand at this place, "" where it may not: any byte makes another mark."""
    text, mark = line[:-75], mark_of(line)
    if not text.startswith(b'{"sequence":%d,' % sequence) or line[-75:-66] != _MARK or line[-2:] != b'"}':
        return ""
    return mark if hmac.compare_digest(_digest(text, before, secret), mark) else ""


def mark_of(line: bytes) -> str:
    """Return the mark that a line ends with, right or wrong."""
    return line[-66:-2].decode("ascii", errors="replace")


def _digest(text: bytes, before: str, secret: bytes) -> str:
    return hmac.digest(secret, b"audit " + before.encode() + b" " + text, "sha256").hex()
