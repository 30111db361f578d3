"""Stand between a client and a PostgreSQL with a certificate that the client trusts, and pass on what they say."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.database.server import Server

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
PLUS = b"SCRAM-SHA-256-PLUS\x00"
SASL = 10
"""The number of the message in which a server names its ways to authenticate."""


def without_binding(message: bytes) -> bytes:
    """Return a server's message with the way left out that binds to the channel, so that the other one is taken."""
    kind, _, code = struct.unpack("!cii", message[:9])
    if kind != b"R" or code != SASL or PLUS not in message:
        return message
    body = struct.pack("!i", SASL) + message[9:].replace(PLUS, b"", 1)
    return kind + struct.pack("!i", len(body) + 4) + body


@contextlib.contextmanager
def man_in_the_middle(server: Server, folder: Path, *, stripping: bool = False) -> Iterator[int]:
    """Listen on a port, which is given, and relay each connection; ``stripping`` also hides channel binding.

    The certificate is signed by the server's own authority for the server's own names: all that TLS asks is right.
    """
    server.authority.issue(folder)
    towards_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    towards_client.load_cert_chain(folder / "server.crt", folder / "server.key")
    towards_server = ssl.create_default_context()
    towards_server.check_hostname, towards_server.verify_mode = False, ssl.CERT_NONE

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", server.port)) as up:
            if client.recv(8) != SSL_REQUEST:
                return
            client.sendall(b"S")
            up.sendall(SSL_REQUEST)
            assert up.recv(1) == b"S"
            with (
                towards_client.wrap_socket(client, server_side=True) as near,
                towards_server.wrap_socket(up) as far,
            ):
                relay(near, far, stripping=stripping)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


def relay(near: ssl.SSLSocket, far: ssl.SSLSocket, *, stripping: bool) -> None:
    """Pass bytes on until either side ends; what each side sends at the beginning comes in whole messages."""
    while True:
        ready = [one for one in (near, far) if one.pending()] or select.select([near, far], [], [], 10)[0]
        if not ready:
            return
        for one in ready:
            told = one.recv(65_536)
            if not told:
                return
            other = far if one is near else near
            other.sendall(without_binding(told) if stripping and one is far and len(told) >= 9 else told)
