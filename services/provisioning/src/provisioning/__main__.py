"""`python -m provisioning serve | migrate`."""

from provisioning.app import build
from provisioning.settings import Settings
from shared.kernel.cli import main

main("provisioning", Settings, build)
