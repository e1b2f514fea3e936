"""`python -m refunds serve | migrate`."""

from refunds.service import build
from refunds.settings import Settings
from shared.kernel.cli import main

if __name__ == "__main__":
    main("refunds", Settings, build)
