"""All policies. The version that was in force when an order was paid always applies to it (PO 3.3)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise

from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import Policy
from refunds.policy.rules.engine import decide

_EVER = datetime.min.replace(tzinfo=UTC)


class UnknownPolicyError(LookupError):
    """There is no policy for that storefront, or none with that name."""


class PolicyBook:
    """Policies by storefront, each storefront's versions by the moment from which they are in force.

    Raises ValueError where two have one name, or a storefront's versions do not follow one another.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._by_name: dict[str, Policy] = {}
        versions: dict[str, list[Policy]] = {}
        for policy in policies:
            if policy.name in self._by_name:
                raise ValueError(f"{policy.name}: version: there are two of this name")
            self._by_name[policy.name] = policy
            versions.setdefault(policy.storefront, []).append(policy)
        for found in versions.values():
            found.sort(key=lambda policy: policy.in_force_from or _EVER)
            starts = [policy.in_force_from for policy in found]
            if starts[0] is not None:
                raise ValueError(f"{found[0].name}: in_force_from: the first known version has none")
            for earlier, later in pairwise(found):
                if earlier.in_force_from == later.in_force_from:
                    raise ValueError(f"{later.name}: in_force_from: the same as that of {earlier.name}")
        self._versions: Mapping[str, list[Policy]] = versions

    @property
    def storefronts(self) -> list[str]:
        return sorted(self._versions)

    def versions(self, storefront: str) -> list[Policy]:
        """A storefront's versions, oldest first. Raises UnknownPolicyError."""
        try:
            return list(self._versions[storefront])
        except KeyError:
            raise UnknownPolicyError("no policy is known for this storefront") from None

    def in_force(self, storefront: str, at: datetime) -> Policy:
        """The version for orders that were paid at that moment. Raises UnknownPolicyError."""
        return [p for p in self.versions(storefront) if (p.in_force_from or _EVER) <= at][-1]

    def named(self, name: str) -> Policy:
        """`<storefront>@<version>`. Raises UnknownPolicyError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownPolicyError("no policy of this name is known") from None

    def decide(self, facts: Facts) -> Decision:
        """The decision of the version in force when the order was paid. Raises UnknownPolicyError."""
        return decide(facts, self.in_force(facts.storefront, facts.order.paid_at))
