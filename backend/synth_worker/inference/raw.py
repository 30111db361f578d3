"""Hold a column as it was written: the distinct texts, and which of them stands in each row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from synth_worker.inference.texts import trimmed
from synth_worker.table import Bools, Ints

Native = Literal["text", "integer", "floating", "boolean", "date", "datetime", "duration", "category"]


@dataclass(frozen=True, eq=False)
class Raw:
    """Pair the distinct texts of a column with a code per row (-1: absent), so that the work is done on few values.

    ``native`` is what a data frame said the values are; ``"text"`` for files, whose values are typed by our own
    rules. ``source`` is the pandas dtype of a data frame's column. ``comma`` says that the file is one in which a
    decimal comma is to be expected.

    >>> raw = Raw.of("sex", pa.chunked_array([["f", "m", None, "f"]]))
    >>> raw.codes.tolist(), raw.texts.to_pylist(), raw.counts.tolist()
    ([0, 1, -1, 0], ['f', 'm'], [2, 1])
    """

    name: str
    codes: Ints
    texts: pa.Array
    native: Native = "text"
    source: str = ""
    comma: bool = False

    @classmethod
    def of(cls, name: str, values: pa.ChunkedArray | pa.Array, *, comma: bool = False) -> Raw:
        """Build a column of texts from an Arrow array of strings."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        encoded = values.cast(pa.large_string()).dictionary_encode()
        codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return cls(name, codes, encoded.dictionary, comma=comma)

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    @property
    def counts(self) -> Ints:
        """Return how often each text stands in the column, shape (texts,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts)).astype(np.int64)

    def first_row(self, text: int) -> int:
        """Return the first row in which the text with this index stands."""
        return int(np.argmax(self.codes == text))

    def without(self, dropped: Bools) -> Raw:
        """Return the column in which these texts are absent values, shape (texts,)."""
        if not dropped.any():
            return self
        place = np.append(np.where(dropped, -1, np.cumsum(~dropped) - 1), -1)
        return replace(self, codes=place[self.codes], texts=self.texts.filter(pa.array(~dropped)))

    def trimmed(self) -> Raw:
        """Return the column without white space around its values; equal values become one."""
        clean = trimmed(self.texts)
        if clean.equals(self.texts):
            return self
        encoded = clean.dictionary_encode()
        place = np.append(np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64), -1)
        return replace(self, codes=place[self.codes], texts=encoded.dictionary)
