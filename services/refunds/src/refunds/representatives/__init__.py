"""Representatives of buyers (PP 6.2): an agent records who acts for a buyer and upon what; a supervisor confirms it."""

from refunds.representatives.rules import OPEN_DAYS, RepresentationState, state_of
from refunds.representatives.service import MOST_FILES, ActOutcome, NewRepresentation, Representatives
from refunds.representatives.store import ERASE_REPRESENTATIONS, acts_of, find, of_order, waiting

__all__ = [
    "ERASE_REPRESENTATIONS",
    "MOST_FILES",
    "OPEN_DAYS",
    "ActOutcome",
    "NewRepresentation",
    "RepresentationState",
    "Representatives",
    "acts_of",
    "find",
    "of_order",
    "state_of",
    "waiting",
]
