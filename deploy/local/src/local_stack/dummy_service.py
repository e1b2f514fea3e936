"""A service as small as can be, to test the runner with: `python -m local_stack.dummy_service migrate|serve`.

`serve` answers every GET with its own process id, its child's and `$EXTRA`; `DUMMY_MODE` makes it misbehave.
"""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from local_stack.ports import LOOPBACK

MODE = os.environ.get("DUMMY_MODE", "well")


class _Handler(BaseHTTPRequestHandler):
    child_pid = 0

    def do_GET(self) -> None:
        well = MODE != "never-ready" or self.path != "/health/ready"
        body = f"{os.getpid()} {self.child_pid} {os.environ.get('EXTRA', '')}".encode()
        self.send_response(200 if well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main() -> None:
    """Do as the first argument says."""
    if sys.argv[1] == "migrate":
        if MODE == "bad-migration":
            sys.exit("the table is locked")
        Path(os.environ["MARK"]).write_text(os.environ["DATABASE_URL"].rpartition("/")[2])
        return
    if MODE == "crash":
        print("no such setting: FOO", flush=True)
        sys.exit(3)
    child = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(child) as sleeper:  # noqa: S603 - our own command
        _Handler.child_pid = sleeper.pid
        HTTPServer((LOOPBACK, int(os.environ["HTTP_PORT"])), _Handler).serve_forever()


if __name__ == "__main__":
    main()
