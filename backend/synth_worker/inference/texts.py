"""Work on arrays of distinct texts, all values at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synth_worker.table import Bools, Ints


def array(values: Iterable[object]) -> pa.Array:
    """Return the values as an Arrow array of strings; None stays null.

    >>> array(["a", None]).null_count
    1
    """
    return pa.array([None if one is None else str(one) for one in values], pa.large_string())


def trimmed(texts: pa.Array) -> pa.Array:
    """Return the texts without the white space around them."""
    return pc.call_function("utf8_trim_whitespace", [texts])


def lower(texts: pa.Array) -> pa.Array:
    """Return the texts in lower case."""
    return pc.call_function("utf8_lower", [texts])


def matches(texts: pa.Array, pattern: str) -> Bools:
    """Return which texts match the regular expression (RE2), shape (texts,); a null does not.

    >>> matches(array(["12", "x"]), r"^[0-9]+$").tolist()
    [True, False]
    """
    if len(texts) == 0:
        return np.zeros(0, dtype=np.bool_)
    found = pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(pattern))
    return np.asarray(found.fill_null(fill_value=False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def replaced(texts: pa.Array, pattern: str, by: str) -> pa.Array:
    """Return the texts with every match of the regular expression (RE2) replaced."""
    options = pc.ReplaceSubstringOptions(pattern, by)
    return pc.call_function("replace_substring_regex", [texts], options)


def joined(*parts: pa.Array | str) -> pa.Array:
    """Return the texts put together element by element; a null in any part makes a null."""
    pieces = [pa.scalar(one, pa.large_string()) if isinstance(one, str) else one for one in parts]
    return pc.call_function("binary_join_element_wise", [*pieces, pa.scalar("", pa.large_string())])


def lengths(texts: pa.Array) -> Ints:
    """Return the number of characters of each text, shape (texts,)."""
    counted = pc.call_function("utf8_length", [texts])
    return np.asarray(counted.to_numpy(zero_copy_only=False), dtype=np.int64)


def word_counts(texts: pa.Array) -> Ints:
    """Return the number of runs of white space plus one, shape (texts,)."""
    counted = pc.call_function("count_substring_regex", [texts], pc.MatchSubstringOptions(r"\s+"))
    return np.asarray(counted.to_numpy(zero_copy_only=False), dtype=np.int64) + 1


def choose(where: Bools, yes: pa.Array, no: pa.Array) -> pa.Array:
    """Return ``yes`` where the condition holds and ``no`` elsewhere."""
    return pc.call_function("if_else", [pa.array(where), yes, no])


def spread(texts: pa.Array, codes: Ints) -> pa.Array:
    """Return the text of each row, shape (rows,); code -1 gives a null."""
    return texts.take(pa.array(codes, mask=codes < 0))


def example(texts: pa.Array, where: Bools) -> str:
    """Return the first text for which the condition holds, cut to 40 characters."""
    text = str(texts[int(np.argmax(where))].as_py())
    return text if len(text) <= 40 else f"{text[:39]}…"
