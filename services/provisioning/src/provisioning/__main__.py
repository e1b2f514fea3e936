"""`python -m provisioning serve | migrate | recover`."""

from provisioning.settings import Settings
from shared.kernel.cli import main

main("provisioning", Settings, app="provisioning.app")
