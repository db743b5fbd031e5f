"""The socket that the server listens on."""

import socket

from core.errors import SettingsError


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one.

    It names its protocol, for asyncio switches Nagle's algorithm off only where it reads `IPPROTO_TCP`;
    `socket.create_server` leaves that out, and every answer would wait 40 ms for the client's acknowledgement.

    Raises:
        SettingsError: the address is taken or is not this machine's.

    >>> with listen("127.0.0.1", 0) as listening:
    ...     listening.proto == socket.IPPROTO_TCP
    True
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Choose another address or port (--host, --port)."
        ) from error
    return listening
