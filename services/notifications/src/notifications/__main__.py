"""`python -m notifications serve | migrate`."""

from notifications.app import build
from notifications.settings import Settings
from shared.kernel.cli import main

main("notifications", Settings, build)
