"""Do pieces of work side by side in threads and take their results in the order of the pieces.

Which pieces there are is never for the threads to say, so that what is added up in this order is the same to the last
bit for any number of them. Threads suffice where numpy, scipy and Arrow do the work: they let go of Python's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_turn(work: Callable[[Piece], Result], pieces: Iterable[Piece], *, threads: int) -> Iterator[Result]:
    """Yield ``work(piece)`` of each piece, in order; what one of them raises is raised in its turn.

    At most ``threads`` pieces are at work or wait to be taken, so that no more results than that are ever held.

    >>> list(in_turn(len, ["a", "bcd"], threads=2))
    [1, 3]
    """
    if threads < 2:
        yield from map(work, pieces)
        return
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for piece in pieces:
                if len(ahead) == threads:
                    yield ahead.popleft().result()
                ahead.append(pool.submit(work, piece))
            while ahead:
                yield ahead.popleft().result()
        finally:
            for one in ahead:
                one.cancel()
