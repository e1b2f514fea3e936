"""Reads outcomes in tests."""

from typing import Any

from shared.outcomes import Done


def value_of(outcome: object) -> Any:
    """What a successful call returned; any other outcome as it is. `Any`: the test asserts which."""
    return outcome.value if isinstance(outcome, Done) else outcome
