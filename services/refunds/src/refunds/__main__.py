"""`python -m refunds serve | migrate | recover | decide | policies | replay | accounts`."""

import sys

from refunds.policy.commands import COMMANDS


def _serve() -> None:
    from refunds.settings import Settings  # noqa: PLC0415 - what decides from the shell needs none of this
    from shared.kernel.cli import main  # noqa: PLC0415 - as above

    main("refunds", Settings, app="refunds.app")


if __name__ == "__main__":
    if sys.argv[1:2] == ["accounts"]:
        from shared.signin.cli import accounts

        sys.exit(accounts(sys.argv[2:], service="refunds", kind="agent", roles=("agent", "supervisor", "viewer")))
    if sys.argv[1:] and sys.argv[1] in COMMANDS:
        sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
    _serve()
