"""Keep a private run: written beside its folder until it is complete, then released by one rename.

DIR/synthetic.*  model/  report.html  run.json      what may be handed out: private by what was paid, or public
DIR/internal/    asked.json spent.json figures.json  for the data holder only, mode 0700: exact counts, HMACs, times
.DIR.part/       the same while it grows, mode 0700; ``run.json`` is written last, so a part that has it is complete

A crash leaves a part. Complete and paid for, it is released as it is; else what it was charged is lost.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from synth_worker.errors import BadInput
from synth_worker.privacy.budget import Cost
from synth_worker.privacy.entries import Receipt
from synth_worker.private_run import PrivateRun, private_json
from synth_worker.storage import RUN, move_folder_whole
from synth_worker.whole import write_text_whole

INTERNAL, ASKED, SPENT, FIGURES = "internal", "asked.json", "spent.json", "figures.json"
SPENDING = "spending"
"""A mark that is made before the ledger is asked: from then on a crash may have been charged."""


class Left(StrEnum):
    """Say what an earlier try has left beside the folder."""

    NOTHING = "nothing"
    UNCHARGED = "not charged"
    LOST = "charged, no answer"
    COMPLETE = "charged, complete"


@dataclass(frozen=True)
class PrivateFolder:
    """Keep one private run in ``path``."""

    path: Path

    @property
    def part(self) -> Path:
        """Return the folder in which it grows."""
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def internal(self) -> Path:
        """Return what is for the data holder only."""
        return self.path / INTERNAL

    def check(self) -> None:
        """Refuse a folder in which something lies already; nothing is touched. Raises BadInput."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise BadInput(
                f"the folder {self.path} is not empty", hint="name a new folder with --out; nothing there was touched"
            )

    def left(self) -> Left:
        """Say what an earlier try has left."""
        if not self.part.exists():
            return Left.NOTHING
        if (self.part / RUN).exists() and (self.part / INTERNAL / SPENT).exists():
            return Left.COMPLETE
        charged = any((self.part / INTERNAL / name).exists() for name in (SPENDING, SPENT))
        return Left.LOST if charged else Left.UNCHARGED

    def begin(self, asked: Mapping[str, object]) -> None:
        """Begin anew; what an incomplete try left is removed."""
        shutil.rmtree(self.part, ignore_errors=True)
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.part.mkdir(mode=0o700)
        (self.part / INTERNAL).mkdir(mode=0o700)
        write_text_whole(self.part / INTERNAL / ASKED, json.dumps(asked, indent=1))

    def spending(self) -> None:
        """Note that the ledger is asked now."""
        write_text_whole(self.part / INTERNAL / SPENDING, "")

    def spent(self, receipt: Receipt) -> None:
        """Keep the entry that paid."""
        row = {
            "sequence": receipt.sequence,
            "mark": receipt.mark,
            "rho_nano": receipt.charged.rho_nano,
            "delta_atto": receipt.charged.delta_atto,
        }
        write_text_whole(self.part / INTERNAL / SPENT, json.dumps(row))

    def receipt(self, *, released: bool = False) -> Receipt:
        """Read back the entry that paid."""
        folder = self.path if released else self.part
        row = cast("dict[str, object]", json.loads((folder / INTERNAL / SPENT).read_text(encoding="utf-8")))
        cost = Cost(cast("int", row["rho_nano"]), cast("int", row["delta_atto"]))
        return Receipt(cast("int", row["sequence"]), str(row["mark"]), cost)

    def asked(self) -> Mapping[str, object]:
        """Read back what an unfinished part was asked."""
        path = self.part / INTERNAL / ASKED
        return cast("Mapping[str, object]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def complete(self, run: PrivateRun) -> None:
        """Write the run card, the last of the part."""
        write_text_whole(self.part / RUN, json.dumps(private_json(run), indent=1, allow_nan=False))

    def release(self) -> None:
        """Give the complete part its name; from here on it is handed out."""
        if self.path.is_dir():
            self.path.rmdir()  # empty, as ``check`` saw
        move_folder_whole(self.part, self.path)
        self.path.chmod(0o755)

    def card(self) -> Mapping[str, object]:
        """Read the run card that the folder holds. Raises BadInput where there is none."""
        path = self.path / RUN
        if not path.exists():
            raise BadInput(f"there is no run in {self.path}")
        return cast("Mapping[str, object]", json.loads(path.read_text(encoding="utf-8")))

    def copy_from(self, answer: Path) -> None:
        """Hand out an answer that was given before: the released files, nothing of ``internal``."""
        shutil.rmtree(self.part, ignore_errors=True)
        shutil.copytree(answer, self.part, ignore=shutil.ignore_patterns(INTERNAL))
        self.release()

    def keep_internal(self, figures: Mapping[str, object]) -> None:
        """Write what only the data holder may see."""
        self.internal.mkdir(mode=0o700, exist_ok=True)
        self.internal.chmod(0o700)
        write_text_whole(self.internal / FIGURES, json.dumps(figures, indent=1, allow_nan=False))
