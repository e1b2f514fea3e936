"""`python -m operations serve | migrate`."""

from operations.service import build
from operations.settings import Settings
from shared.kernel.cli import main

if __name__ == "__main__":
    main("operations", Settings, build)
