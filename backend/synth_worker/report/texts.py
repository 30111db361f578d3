"""Turn the name of a sentence into words of a language; numbers take the language's own marks.

A sentence is a format string. Its fields take these specifications: ``{rows:n}`` an integer with thousands marked,
``{rows:n,row,rows}`` the same followed by the right plural, ``{value:3}`` a figure with three decimals,
``{share:%}`` a percentage with one decimal, ``{value}`` as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import cast

from synth_worker.errors import UnknownName
from synth_worker.report.english import SENTENCES as ENGLISH
from synth_worker.report.parts import Said


@dataclass(frozen=True)
class Language:
    """Hold a language: its code, its sentences, its marks, and which plural form a number takes."""

    code: str
    sentences: Mapping[str, str]
    decimal: str = "."
    thousands: str = ","
    minus: str = "−"
    percent: str = " %"
    plural: Callable[[int], int] = lambda count: 0 if count == 1 else 1


LANGUAGES: Mapping[str, Language] = {"en": Language("en", ENGLISH, percent="\u202f%")}


def language(code: str) -> Language:
    """Return a language by its code. Raises UnknownName."""
    if code not in LANGUAGES:
        raise UnknownName.of("language", code, LANGUAGES)
    return LANGUAGES[code]


def known(key: str) -> bool:
    """Tell whether the catalogue has a sentence of this name."""
    return key in ENGLISH


def speak(said: Said, tongue: Language) -> str:
    """Return the words of a sentence; a language that lacks it borrows the English one. Raises UnknownName.

    >>> speak(Said("unit.rows", {"rows": 1200}), language("en"))
    '1,200 rows'
    """
    template = tongue.sentences.get(said.key) or ENGLISH.get(said.key)
    if template is None:
        raise UnknownName("the report has no sentence " + repr(said.key), hint="add it to english.py")
    return _Fields(tongue).vformat(template, (), said.values)


def figure(value: float | None, tongue: Language, *, decimals: int = 3) -> str:
    """Return a figure with fixed decimals, a dash where there is none.

    >>> figure(-0.25, language("en"), decimals=2)
    '−0.25'
    """
    if value is None or math.isnan(value):
        return "–"
    text = f"{abs(value):,.{decimals}f}"
    swapped = text.replace(",", "\0").replace(".", tongue.decimal).replace("\0", tongue.thousands)
    negative = value < 0 and any(mark not in "0.," for mark in text)
    return (tongue.minus if negative else "") + swapped


def percent(share: float | None, tongue: Language, *, decimals: int = 1) -> str:
    """Return a share as a percentage.

    >>> percent(0.125, language("en"))
    '12.5\\u202f%'
    """
    return "–" if share is None else figure(100 * share, tongue, decimals=decimals) + tongue.percent


class _Fields(Formatter):
    """Format the fields of a sentence by the rules of a language."""

    def __init__(self, tongue: Language) -> None:
        self.tongue = tongue

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, Said):
            return speak(value, self.tongue)
        if isinstance(value, tuple):
            return ", ".join(speak(one, self.tongue) for one in cast("tuple[Said, ...]", value))
        if isinstance(value, int | float):
            if format_spec.startswith("n"):
                return self._count(round(value), format_spec)
            if format_spec.startswith("%"):
                return percent(float(value), self.tongue)
            if format_spec.isdigit():
                return figure(float(value), self.tongue, decimals=int(format_spec))
        return str(value)

    def _count(self, value: int, spec: str) -> str:
        number = figure(value, self.tongue, decimals=0)
        forms = spec.split(",")[1:]
        return f"{number} {forms[self.tongue.plural(value)]}" if forms else number
