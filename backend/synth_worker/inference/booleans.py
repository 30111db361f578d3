"""Know the words that mean true and false."""

from __future__ import annotations

from collections.abc import Sequence

PAIRS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
_MEANING = {word: place == 1 for pair in PAIRS for place, word in enumerate(pair)} | {
    "0": False,
    "1": True,
    "0.0": False,
    "1.0": True,
}


def pair(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the texts as (false, true) if they are one such pair (or one half of false/true), else nothing.

    >>> pair(["Yes", "No"]), pair(["f", "m"]), pair(["TRUE"])
    (('No', 'Yes'), (), ('TRUE',))
    """
    lowered = {text.lower(): text for text in texts}
    if len(lowered) != len(texts):
        return ()
    for words in PAIRS:
        if set(lowered) == set(words):
            return (lowered[words[0]], lowered[words[1]])
    if len(texts) == 1 and next(iter(lowered)) in PAIRS[0]:
        return (texts[0],)
    return ()


def meaning(text: str) -> bool | None:
    """Return what the word means, or None if it is not one.

    >>> meaning("YES"), meaning("perhaps")
    (True, None)
    """
    return _MEANING.get(text.strip().lower())
