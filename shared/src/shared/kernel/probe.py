"""`python -m shared.kernel.probe`: exit code 0 when the service in this container is ready; for health checks."""

import os
import sys
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

_SECONDS = 3


def ready(port: int) -> bool:
    """Whether the service on this machine says that it is ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if ready(int(os.environ.get("HTTP_PORT", "8000"))) else 1)
