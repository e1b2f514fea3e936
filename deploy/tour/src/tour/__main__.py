"""`python -m tour`: see README.md."""

import argparse
import asyncio
import signal
import sys

from tour.tour import run

INTERRUPTED = 130


async def _until_stopped(*, stay: bool) -> int:
    """SIGTERM ends the tour as Ctrl-C does: everything it started is stopped."""
    tour = asyncio.ensure_future(run(stay=stay))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, tour.cancel)
    return await tour


def main() -> int:
    """Returns the exit code: 0 only if every act ended as expected."""
    parser = argparse.ArgumentParser(prog="python -m tour", description="Acts on a stack of their own.")
    parser.add_argument("--stay", action="store_true", help="keep the stack at the end, until Ctrl-C, to look around")
    arguments = parser.parse_args()
    try:
        return asyncio.run(_until_stopped(stay=arguments.stay))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
