"""Run a real MariaDB with TLS where its programs are: the other engine that shows that the seam is right."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql

from tests.database.authority import Authority
from tests.database.server import READY_SECONDS, _free_port, _unprivileged

PRESENT = bool(shutil.which("mariadbd") and shutil.which("mariadb-install-db"))


@contextlib.contextmanager
def running_mariadb() -> Iterator[tuple[dict[str, object], pymysql.Connection]]:
    """Run a server; give the credentials of a role that can only read ``patient_data``, and an administrator."""
    folder = Path(tempfile.mkdtemp(prefix="gesalp-mariadb-"))
    data, socket_path, port = folder / "data", folder / "socket", _free_port()
    data.mkdir()
    authority = Authority("authority of a test")
    ca = authority.write(folder / "authority.pem")
    authority.issue(folder)
    owner = _unprivileged()
    for one in (folder, *folder.rglob("*")):
        if owner:
            os.chown(one, owner.pw_uid, owner.pw_gid)
    lowered = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"] if owner else []
    common = ["--no-defaults", f"--datadir={data}"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([*lowered, *install], check=True, capture_output=True, cwd=folder)
    tls = [f"--ssl-ca={ca}", f"--ssl-cert={folder / 'server.crt'}", f"--ssl-key={folder / 'server.key'}"]
    command = ["mariadbd", *common, *tls, f"--port={port}", f"--socket={socket_path}", "--bind-address=127.0.0.1"]
    quick = [
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
        "--general-log",
        f"--general-log-file={folder / 'log'}",
    ]
    process = subprocess.Popen([*lowered, *command, *quick], stderr=subprocess.DEVNULL, cwd=folder)
    try:
        until = time.monotonic() + READY_SECONDS
        admin = None
        while admin is None:
            with contextlib.suppress(pymysql.Error, OSError):
                admin = pymysql.connect(unix_socket=str(socket_path), user="root", autocommit=True)
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        with admin.cursor() as cursor:
            cursor.execute("CREATE DATABASE patient_data")
            cursor.execute("CREATE USER reader@'%' IDENTIFIED BY 'password of a test' REQUIRE SSL")
        credentials: dict[str, object] = {
            "host": "localhost",
            "port": port,
            "database": "patient_data",
            "user": "reader",
        }
        assert ssl.HAS_TLSv1_3
        yield {**credentials, "password": "password of a test", "sslrootcert": str(ca)}, admin
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=READY_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
