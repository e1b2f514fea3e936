"""`python -m notifications serve | migrate | recover`."""

from notifications.settings import Settings
from shared.kernel.cli import main

main("notifications", Settings, app="notifications.app")
