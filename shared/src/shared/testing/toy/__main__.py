"""`python -m shared.testing.toy serve`, for tests that kill a whole process."""

from shared.kernel.cli import main
from shared.testing.toy.settings import Settings

main("shared.testing.toy", Settings, app="shared.testing.toy.service")
