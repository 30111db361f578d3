"""Keep spreadsheets from taking a text for a formula, in a way that can be undone.

Excel and its kin run a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return. An apostrophe in
front stops that. Numbers and single signs are harmless and stay. A text that begins with such an apostrophe already
gets one more, so that taking one away always gives the text back.
"""

from __future__ import annotations

import re

import pyarrow as pa

from synth_worker.inference.texts import choose, joined, matches

_RISKY = r"^'*[=+\-@\t\r]"
_HARMLESS = r"^([+-]|[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?%?)$"
_GUARDED = re.compile(r"^''*[=+\-@\t\r]")


def guarded(texts: pa.Array) -> pa.Array:
    """Return the texts with an apostrophe before each that a spreadsheet would run.

    >>> from synth_worker.inference.texts import array
    >>> guarded(array(["=1+1", "-5", "-", "-5 to 3", "ok"])).to_pylist()
    ["'=1+1", '-5', '-', "'-5 to 3", 'ok']
    """
    risky = matches(texts, _RISKY) & ~matches(texts, _HARMLESS)
    return choose(risky, joined("'", texts), texts) if risky.any() else texts


def unguarded(text: str) -> str:
    """Return the text without the apostrophe of ``guarded``.

    >>> unguarded("'=1+1"), unguarded("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if _GUARDED.match(text) else text
