"""`python -m ordering serve | migrate`."""

from ordering.app import build
from ordering.settings import Settings
from shared.kernel.cli import main

main("ordering", Settings, build)
