"""What is wrong in the shops' folder."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `field` is empty where the whole file or folder is meant."""

    #: Relative to the shops' folder: `esimka/plans.toml`.
    file: str
    field: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.field, self.reason) if part)


class ShopsError(ValueError):
    """The folder is refused as a whole. Its text has a line for each fault: file, field and reason."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
