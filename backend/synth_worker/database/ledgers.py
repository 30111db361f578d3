"""Open the ledger that the settings name: in the home folder, or in PostgreSQL for many hosts."""

from __future__ import annotations

from synth_worker.database.urls import located
from synth_worker.errors import BadInput, LedgerUnusable
from synth_worker.privacy.chain import Chain
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.settings import Settings

POSTGRESQL = "postgresql"


def open_ledger(settings: Settings, *, create: bool = False) -> Chain:
    """Return the ledger of the settings, a context; ``create`` begins it where there never was one.

    Raises LedgerUnusable where it cannot be relied on, BadInput for a ``ledger_url`` that names no PostgreSQL.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with open_ledger(Settings(home=Path(tempfile.mkdtemp())), create=True) as ledger:
    ...     ledger.pools()
    {}
    """
    if not settings.ledger_url:
        return FileLedger(settings.folder, create=create)
    place = located(settings.ledger_url)
    if place is None or place.db_type != POSTGRESQL:
        raise BadInput(
            "GESALP_LEDGER_URL names no PostgreSQL",
            hint="as in postgresql://gesalp_ledger@host/ledger, or leave it out",
        )
    try:
        from synth_worker.database.ledger import PostgresLedger  # noqa: PLC0415 - a driver, only where it is used
    except ModuleNotFoundError:
        raise LedgerUnusable(
            "a ledger in PostgreSQL needs the package 'psycopg'", hint="pip install 'gesalp[database]'"
        ) from None
    return PostgresLedger(place.credentials, settings.folder, create=create)
