"""`python -m operations serve | migrate | accounts`."""

import sys

from operations.settings import Settings
from shared.kernel.cli import main

if __name__ == "__main__":
    if sys.argv[1:2] == ["accounts"]:
        from operations.audit import KIND
        from operations.pages.roles import ROLES
        from shared.signin.cli import accounts

        sys.exit(accounts(sys.argv[2:], service="operations", kind=KIND, roles=ROLES))
    main("operations", Settings, app="operations.app")
