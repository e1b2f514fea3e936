"""`python -m sandbox serve`: run until SIGTERM or SIGINT."""

import argparse
import asyncio
import importlib
import logging
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec

from sandbox.server import Server
from sandbox.settings import Settings


async def serve(settings: Settings) -> int:
    """Serve until a signal stops it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    try:
        await server.start()
    except OSError as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return 1
    address = f"http://{settings.host}:{server.http_port}"
    print(
        f"sandbox: {address} (pages {address}/mail and {address}/sms), SMTP {settings.host}:{server.smtp_port}, "
        f"IMAP {settings.host}:{server.imap_port}",
        flush=True,
    )
    await stop.wait()
    await server.stop()
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(Settings.from_environment()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory


if __name__ == "__main__":
    sys.exit(main())
