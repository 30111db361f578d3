"""Begin a run with what won on similar tables, and keep what it found for later ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from synth_worker.job import Job
from synth_worker.run import Attempt
from synth_worker.search.history import StoredHistory, recalled
from synth_worker.search.meta import features_of
from synth_worker.settings import Settings


def warmed(job: Job, settings: Settings) -> Job:
    """Return the job with what won on similar tables, as it was when the run began."""
    if not _asked(job, settings):
        return job
    plans = job.folder.warm()
    if plans is None:
        plans = recalled(job.own.train, _history(job, settings))
        job.folder.keep_warm(plans)
    return replace(job, warm=plans)


def learn(job: Job, attempts: Sequence[Attempt], settings: Settings) -> None:
    """Keep what won, by its validation scores; a home folder that cannot be written to ends no run."""
    if _asked(job, settings):
        with suppress(OSError, sqlite3.Error):
            _history(job, settings).remember(features_of(job.own.train), attempts, prefer=job.options.prefer)


def _asked(job: Job, settings: Settings) -> bool:
    return settings.warm_start and job.options.warm_start


def _history(job: Job, settings: Settings) -> StoredHistory:
    return StoredHistory(settings.folder, settings.tenant, job.data.sha256)
