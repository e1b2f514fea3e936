"""`python -m notifications serve | migrate`."""

from notifications.settings import Settings
from shared.kernel.cli import main

main("notifications", Settings, app="notifications.app")
