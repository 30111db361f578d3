"""Say how PostgreSQL is reached: what libpq must demand of the server, and why it refused one."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from synth_worker.database.credentials import Credentials
from synth_worker.errors import DatabaseRefused

NEEDED = ("host", "database", "user")
KNOWN = (
    "port",
    "password",
    "schema",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "statement_seconds",
    "allow_unsafe_role",
    "plaintext_on_loopback",
)
LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1"}
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
CONNECT_SECONDS = 10


class Reason(NamedTuple):
    """Tell a failure by words of libpq, and say it in ours."""

    words: str
    sentence: str
    hint: str


FOREIGN = "the server's certificate is not valid under the CA that was named: of another authority, or expired"
REASONS = (
    Reason("server does not support SSL", "the server offers no TLS", "only verified TLS is used; set ssl = on there"),
    Reason("rejected SSL", "the server offers no TLS", "only verified TLS is used; set ssl = on there"),
    Reason("certificate has expired", "the server's certificate has expired", "renew it"),
    Reason(
        "certificate verify failed", FOREIGN, "name the CA's file as credentials['sslrootcert']; renew what has expired"
    ),
    Reason("signature failure", FOREIGN, "name the CA's file as credentials['sslrootcert']"),
    Reason(
        "does not match host name",
        "the server's certificate is for another host",
        "connect by the name in the certificate",
    ),
    Reason("protocol version", "the server offers no TLS of version 1.2 or later", "raise ssl_min_protocol_version"),
    Reason(
        "unsupported protocol", "the server offers no TLS of version 1.2 or later", "raise ssl_min_protocol_version"
    ),
    Reason("protocol is shutdown", "the server broke off TLS", "look into its log"),
    Reason("SSL error", "TLS failed: the server did not prove who it is", "the server's log may say why"),
    Reason(
        "authentication method requirement",
        "the server asks for a weaker proof of the password than scram-sha-256",
        "set scram-sha-256 in its pg_hba.conf",
    ),
    Reason(
        "channel binding",
        "the password's proof could not be bound to the server's certificate: somebody may stand in between",
        "ask whose certificate answers there; the server needs scram-sha-256 and a certificate of RSA or ECDSA",
    ),
    Reason("did not complete authentication", "the server skipped the proof of the password", "set scram-sha-256"),
    Reason("password authentication failed", "the server does not know this user and password", "check both"),
    Reason("no password supplied", "a password is needed", "give credentials['password']"),
    Reason(
        "no pg_hba.conf entry", "the server does not let this user in from here", "add a hostssl line to pg_hba.conf"
    ),
    Reason("does not exist", "a role, a database or a file that was named does not exist", "check the credentials"),
    Reason("could not translate host name", "the host's name is not known", "check credentials['host']"),
    Reason("Connection refused", "nothing answers at that host and port", "is the server running?"),
    Reason("timeout expired", f"the server did not answer within {CONNECT_SECONDS} seconds", "is it reachable?"),
)


def reason_of(words: str) -> Reason:
    """Return why libpq failed, in words of ours that hold no secret.

    >>> reason_of('server certificate for "a" does not match host name "b"').sentence
    "the server's certificate is for another host"
    """
    for one in REASONS:
        if one.words in words:
            return one
    return Reason("", "the connection could not be opened", "the server's log may say why")


def root_certificates(credentials: Credentials) -> str:
    """Return the file of the authorities that are trusted: named, else ``PGSSLROOTCERT``, else the system's bundle.

    Raises DatabaseRefused where there is none: psycopg's own wheel brings no authorities.
    """
    named = credentials.text("sslrootcert") or os.environ.get("PGSSLROOTCERT", "")
    if named and named != "system":
        if not Path(named).is_file():
            raise DatabaseRefused(f"the file of authorities {named} does not exist", hint="name the CA's file")
        return named
    own = ssl.get_default_verify_paths().cafile
    for one in (own, *BUNDLES):
        if one and Path(one).is_file():
            return one
    raise DatabaseRefused("no bundle of authorities was found", hint="name the CA's file as credentials['sslrootcert']")


def is_plaintext(credentials: Credentials) -> bool:
    """Tell whether plaintext was asked for, which the loopback alone may have. Raises DatabaseRefused elsewhere."""
    if not credentials.flag("plaintext_on_loopback"):
        return False
    host = credentials.text("host")
    # A list of hosts is tried one by one, so that a socket may lead on to another machine.
    if host not in LOOPBACK and (not host.startswith("/") or "," in host):
        raise DatabaseRefused(
            f"plaintext to {host} was asked for; it is possible on the loopback only",
            hint="leave plaintext_on_loopback out",
        )
    return True


def parameters(credentials: Credentials) -> dict[str, str]:
    """Return what libpq is told, the password left out. Every setting that weakens another is set, none inherited.

    Raises DatabaseRefused without authorities or for plaintext to another machine.
    """
    host = credentials.text("host")
    found = {
        "host": host,
        "hostaddr": "",  # else PGHOSTADDR would lead elsewhere
        "port": credentials.text("port", "5432"),
        "dbname": credentials.text("database"),
        "user": credentials.text("user"),
        "application_name": "gesalp",
        "connect_timeout": str(CONNECT_SECONDS),
        "client_encoding": "UTF8",
        "options": "",
        "gssencmode": "disable",
        "require_auth": "scram-sha-256",
    }
    if is_plaintext(credentials):
        address = {"hostaddr": LOOPBACK[host]} if host in LOOPBACK else {}
        return {**found, **address, "sslmode": "disable", "channel_binding": "disable"}
    certificate = {key: credentials.text(key) for key in ("sslcert", "sslkey") if key in credentials}
    return {
        **found,
        **certificate,
        "sslmode": "verify-full",
        "sslrootcert": root_certificates(credentials),
        "ssl_min_protocol_version": "TLSv1.2",
        "channel_binding": "require",
    }
