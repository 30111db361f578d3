"""Read and write runs: the only module that knows what lies where in a run's folder.

DIR/request.json         what was asked of which data; written first, a resumed run must ask the same
DIR/warm.json            what won on similar tables and is tried first; a resumed run reads it back
DIR/attempts/NN/         attempt.json, synthetic.*, model/ - written whole (temporary name, fsync, rename)
DIR/certificate.json     the final measurement; written whole (certificate.balanced.json: that of the balanced table)
DIR/run.json synthetic.* report.html report.internal.html model/   what is handed out
DIR/.work/               real rows for the subprocess, checkpoints of its training, mode 0700; removed at the end
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from synth_worker.errors import BadInput
from synth_worker.loop import CHECKPOINT
from synth_worker.record import attempt_json, certificate_json, read_attempt, read_certificate, read_run, run_json
from synth_worker.run import FINISHED, Attempt, Certificate, Run, Value
from synth_worker.search.portfolio import Warm
from synth_worker.whole import sync, write_text_whole

REQUEST = "request.json"
CERTIFICATE = "certificate.json"
BALANCED = "certificate.balanced.json"
RUN = "run.json"
WARM = "warm.json"


def move_folder_whole(source: Path, target: Path) -> None:
    """Give a finished folder its final name, after everything in it has reached the disk."""
    for path in sorted(source.rglob("*")):
        sync(path)
    sync(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    source.replace(target)
    sync(target.parent)


@dataclass(frozen=True)
class RunFolder:
    """Keep one run in a folder."""

    path: Path

    @property
    def work(self) -> Path:
        """Return the private folder for real rows and unfinished attempts."""
        return self.path / ".work"

    def check(self, *, resume: bool) -> None:
        """Refuse a folder in which a run cannot begin, or that holds none to resume; nothing is touched."""
        held = (self.path / REQUEST).exists()
        if resume and not held:
            raise BadInput(
                f"there is no run in {self.path} to resume",
                hint="repeat the command without --resume to begin one, or name its folder with --out",
            )
        if held and not resume:
            raise BadInput(
                f"the folder {self.path} already holds a run",
                hint="add --resume to go on with it, or name a new folder with --out",
            )
        if not held and self.path.is_dir() and any(one.name != ".work" for one in self.path.iterdir()):
            raise BadInput(
                f"the folder {self.path} is not empty and holds no run",
                hint="name a new folder with --out; nothing there was touched",
            )

    def open(self, request: Mapping[str, object], *, resume: bool) -> list[Attempt]:
        """Begin or resume a run; return the attempts that were finished.

        Raises BadInput where ``check`` does, and for a run of something else.
        """
        self.check(resume=resume)
        self.path.mkdir(parents=True, exist_ok=True)
        held = self.path / REQUEST
        plain = json.loads(json.dumps(request))
        if resume:
            self._check_same(json.loads(held.read_text(encoding="utf-8")), plain)
        else:
            write_text_whole(held, json.dumps(plain, indent=1))
        self._clear_work(resume=resume)
        return self.attempts(profile=str(plain["profile"]))

    def _clear_work(self, *, resume: bool) -> None:
        """Empty the private folder; a resumed run keeps the checkpoints: a training that was killed goes on."""
        if not resume:
            shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(mode=0o700, exist_ok=True)
        self.work.chmod(0o700)
        for path in self.work.iterdir():
            if not path.name.startswith(CHECKPOINT):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _check_same(self, held: Mapping[str, object], asked: Mapping[str, object]) -> None:
        differing = sorted(name for name in {*held, *asked} if held.get(name) != asked.get(name))
        if differing:
            name = differing[0]
            raise BadInput(
                f"cannot resume {self.path}: {name} was {held.get(name)!r} and is now {asked.get(name)!r}",
                hint="resume with the same data and options, or name a new folder with --out",
            )

    def attempts(self, *, profile: str) -> list[Attempt]:
        """Return the finished attempts in order."""
        found: list[Attempt] = []
        for folder in sorted((self.path / "attempts").glob("[0-9]*")):
            row = cast("dict[str, object]", json.loads((folder / "attempt.json").read_text(encoding="utf-8")))
            found.append(replace(read_attempt(row, profile=profile), folder=folder))
        return found

    def keep_attempt(self, attempt: Attempt, made: Path) -> Attempt:
        """Write a finished attempt whole: ``made`` holds its model and table, and becomes ``attempts/NN``."""
        made.mkdir(parents=True, exist_ok=True)
        (made / "attempt.json").write_text(json.dumps(attempt_json(attempt), indent=1), encoding="utf-8")
        target = self.path / "attempts" / f"{attempt.number:02d}"
        move_folder_whole(made, target)
        return replace(attempt, folder=target)

    def keep_certificate(self, certificate: Certificate, *, name: str = CERTIFICATE) -> None:
        """Write a certificate whole."""
        write_text_whole(self.path / name, json.dumps(certificate_json(certificate), indent=1))

    def certificate(self, *, name: str = CERTIFICATE) -> Certificate | None:
        """Return the certificate of an interrupted run that had already been certified."""
        path = self.path / name
        return read_certificate(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def finished(self) -> Run | None:
        """Return the run that the folder holds if it went to its end: resuming it has nothing left to do."""
        card, certificate = self.path / RUN, self.certificate()
        if certificate is None or not card.exists():
            return None
        row = cast("dict[str, object]", json.loads(card.read_text(encoding="utf-8")))
        if row["stopped"] != FINISHED:
            return None
        return read_run(row, attempts=self.attempts(profile=str(row["profile"])), folder=self.path)

    def keep_warm(self, plans: Sequence[Warm]) -> None:
        """Write down what the search begins with: a resumed run begins with the same, whatever was learnt since."""
        write_text_whole(self.path / WARM, json.dumps(plans, indent=1))

    def warm(self) -> tuple[Warm, ...] | None:
        """Return what the search begins with, None where that was not written down yet."""
        path = self.path / WARM
        if not path.exists():
            return None
        rows = cast("list[tuple[str, list[tuple[str, Value]]]]", json.loads(path.read_text(encoding="utf-8")))
        return tuple((method, tuple((name, value) for name, value in settings)) for method, settings in rows)

    def publish(self, best: Attempt, table_name: str) -> None:
        """Copy the best attempt's table and model to where the user looks for them."""
        if best.folder is None:
            raise BadInput(f"attempt {best.number} was not kept")
        self.hand_out(best.folder / table_name, table_name)
        copy = self.path / ".model.part"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(best.folder / "model", copy)
        move_folder_whole(copy, self.path / "model")

    def hand_out(self, made: Path, name: str) -> None:
        """Copy a file to where the user looks for it, whole."""
        part = self.path / f".{name}.part"
        shutil.copyfile(made, part)
        sync(part)
        part.replace(self.path / name)

    def clear(self) -> None:
        """Remove the private folder with its real rows."""
        shutil.rmtree(self.work, ignore_errors=True)

    def finish(self, run: Run) -> None:
        """Write the run card last."""
        write_text_whole(self.path / RUN, json.dumps(run_json(run), indent=1))
