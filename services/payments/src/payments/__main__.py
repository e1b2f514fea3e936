"""`python -m payments serve | migrate | recover`."""

from payments.settings import Settings
from shared.kernel.cli import main

if __name__ == "__main__":
    main("payments", Settings, app="payments.app")
