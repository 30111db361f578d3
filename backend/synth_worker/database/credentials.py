"""Hold what opens a database so that no log, message, dump or traceback can show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from synth_worker.errors import BadInput, UnknownName

SECRET = ("password",)


class Credentials(Mapping[str, object]):
    """Hold keys and values; shown, it names its keys and nothing else, and it cannot be pickled or copied out.

    >>> Credentials({"host": "db", "password": "secret"})
    Credentials(host, password)
    """

    __slots__ = ("_held",)

    def __init__(self, given: Mapping[str, object]) -> None:
        self._held = given._held if isinstance(given, Credentials) else _Held(given)

    def __getitem__(self, key: str) -> object:
        return self._held.values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held.values)

    def __len__(self) -> int:
        return len(self._held.values)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(str(one) for one in self))})"

    def __reduce__(self) -> NoReturn:
        raise BadInput("credentials are not written anywhere", hint="open the database where it is used")

    def check(self, what: str, *, known: Iterable[str], needed: Iterable[str] = ()) -> None:
        """Refuse keys that mean nothing here and the lack of those that must be. Raises BadInput, UnknownName."""
        allowed = set(known) | set(needed)
        for key in self:
            if key not in allowed:
                raise UnknownName.of(f"credential of {what}", key, allowed)
            if not self._whole(key):
                raise BadInput(
                    f"credentials[{key!r}] holds a character that is none",
                    hint="no control characters, no halves of surrogate pairs",
                )
        for key in needed:
            if self.get(key) in (None, ""):
                raise BadInput(f"the credentials of {what} lack {key!r}", hint=f"give credentials[{key!r}]")

    def _whole(self, key: str) -> bool:
        """Tell whether a driver reads a value to its end: at a NUL it stops, and what follows is not demanded."""
        found = self[key]
        if not isinstance(found, str):
            return True
        forbidden = ("\x00",) if key in SECRET else tuple(chr(code) for code in (*range(32), 127))
        return not any(one in forbidden or "\ud800" <= one <= "\udfff" for one in found)

    def text(self, key: str, default: str = "") -> str:
        """Return a value that is no secret as text. Raises BadInput for a secret or what is no text."""
        if key in SECRET:
            raise BadInput(f"credentials[{key!r}] is a secret, not a text")
        found = self.get(key, default)
        if not isinstance(found, str | int | Path) or isinstance(found, bool):
            raise BadInput(f"credentials[{key!r}] is not a text")
        return str(found)

    def flag(self, key: str) -> bool:
        """Return a switch, off unless given. Raises BadInput for what is neither true nor false."""
        found = self.get(key, False)
        if not isinstance(found, bool):
            raise BadInput(f"credentials[{key!r}] is neither True nor False")
        return found


class _Held:
    """Keep the values out of ``repr`` and of captured locals."""

    __slots__ = ("values",)

    def __init__(self, given: Mapping[str, object]) -> None:
        self.values = dict(given)
