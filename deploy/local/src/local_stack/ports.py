"""Free TCP ports on the loopback interface.

They are taken below the range from which the kernel gives outgoing connections their ports. A
port inside that range can be lost to some client while its server is down for a restart, and a
client that retries such a port can even end up connected to itself.
"""

import random
import socket
from collections.abc import Iterable

from local_stack.errors import LocalStackError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 15_000, 29_999
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen here now; connections of an earlier server may still linger."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, taken: Iterable[int] = ()) -> int:
    """`preferred` when it is free, otherwise a random free port; never one of `taken`.

    Raises LocalStackError when the machine has no port left.
    """
    avoid = set(taken)
    if preferred is not None and preferred not in avoid and is_free(preferred):
        return preferred
    choice = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = choice.randint(FIRST, LAST)
        if port not in avoid and is_free(port):
            return port
    raise LocalStackError(f"no free TCP port between {FIRST} and {LAST} on {LOOPBACK}")


def free_ports(count: int) -> list[int]:
    """`count` different free ports."""
    ports: list[int] = []
    while len(ports) < count:
        ports.append(free_port(taken=ports))
    return ports
