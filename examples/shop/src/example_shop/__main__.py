"""`python -m example_shop`: serve the shop. Settings are environment variables (README.md)."""

import uvicorn

from example_shop.app import create_app
from example_shop.settings import Settings


def main() -> None:
    """Serve until a signal."""
    settings = Settings.from_environment()
    # Pages that follow an order keep their connection open; at a stop they need not be waited for.
    uvicorn.run(
        create_app(settings), host=settings.host, port=settings.port, timeout_graceful_shutdown=1, access_log=False
    )


if __name__ == "__main__":
    main()
