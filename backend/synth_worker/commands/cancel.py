"""Let the user stop a run: the first Ctrl-C keeps the best so far, the second leaves at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from synth_worker.commands.exits import leave_at_once

PATIENCE_SECONDS = 2.0
NOTICE = b"\nstopping: the best so far is kept; press Ctrl-C again to leave at once\n"


def take_signals() -> None:
    """Keep Arrow from taking Ctrl-C for itself while it reads: it would end as an error, not as an interrupt."""
    import pyarrow as pa

    pa.enable_signal_handlers(False)  # noqa: FBT003 - it takes no keyword


class Cancel:
    """Tell whether the user has asked to stop: ``cancelled=cancel`` for a verb, inside ``with cancel:``.

    A verb asks between steps. A step that takes longer than ``PATIENCE_SECONDS`` is interrupted, so that a run ends
    within five seconds whatever it is doing. SIGTERM counts as Ctrl-C.
    """

    def __init__(self, *, folder: Path | None = None, notice: bytes = NOTICE) -> None:
        self._folder = folder
        self._notice = notice
        self._asked = False
        self._noticed = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}  # pyright: ignore[reportPrivateUsage]

    def __call__(self) -> bool:
        """Return whether to stop; from then on the verb is taken to be stopping by itself."""
        if self._asked:
            self._noticed = True
        return self._asked

    def __enter__(self) -> Cancel:
        take_signals()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._insist)
        return self

    def __exit__(self, *_error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            leave_at_once(self._folder)
        self._asked = True
        os.write(2, self._notice)  # not through sys.stderr: the signal may have come while that was writing
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)

    def _insist(self, _number: int, _frame: FrameType | None) -> None:
        if not self._noticed:
            self._noticed = True
            raise KeyboardInterrupt
