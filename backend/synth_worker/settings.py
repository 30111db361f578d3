"""Read where files live and what is allowed from the environment (prefix ``GESALP_``)."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Hold the settings of one process.

    ``home``: the folder with the ledger and the run store that counts looks at certificate rows (``GESALP_HOME``).
    ``ledger_url``: the ledger in PostgreSQL, where many hosts share one; "" keeps it in ``home``.
    ``ledger_epsilon`` and ``ledger_delta``: the budget of a population that is opened without saying one.
    ``audit_anchor``: a second place for the head of the audit log, a file or ``syslog``.
    ``query_allow_raw`` and ``query_max_epsilon``: what one request to a database may be given.
    ``query_public_columns``: ``table.column``, as requests spell the table; their values everybody may know.
    ``query_privacy_units``: the column of persons of each table (``*``: of all others): a request protects these.
    ``warm_start``: whether runs leave what won, and begin with what won on similar tables. ``tenant``: whose winners.
    """

    model_config = SettingsConfigDict(env_prefix="GESALP_", frozen=True)

    home: Path = Path("~/.local/share/gesalp")
    max_columns: int = 5_000
    ledger_url: str = ""
    ledger_epsilon: float = 3.0
    ledger_delta: float = 1e-6
    audit_anchor: str = ""
    warm_start: bool = True
    tenant: str = ""
    query_allow_raw: bool = False
    query_max_epsilon: float = 10.0
    query_public_columns: tuple[str, ...] = ()
    query_privacy_units: dict[str, str] = {}

    @property
    def folder(self) -> Path:
        """Return the home folder with ``~`` spelled out."""
        return self.home.expanduser()
