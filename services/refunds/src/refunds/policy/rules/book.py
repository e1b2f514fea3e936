"""All policies. The version that was in force when an order was paid always applies to it (PO 3.3)."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import Policy
from refunds.policy.rules.engine import decide
from shared.shops.entry import in_force, start_of


class UnknownPolicyError(LookupError):
    """There is no policy for that storefront, or none with that name."""


class PolicyBook:
    """Policies by storefront, each storefront's versions by the moment from which they are in force."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._by_name: dict[str, Policy] = {}
        versions: dict[str, list[Policy]] = {}
        for policy in policies:
            self._by_name[policy.name] = policy
            versions.setdefault(policy.storefront, []).append(policy)
        for found in versions.values():
            found.sort(key=start_of)
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
        found = in_force(self.versions(storefront), at)
        if found is None:
            raise UnknownPolicyError("no policy of this storefront was in force then")
        return found

    def named(self, name: str) -> Policy:
        """`<storefront>@<version>`. Raises UnknownPolicyError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownPolicyError("no policy of this name is known") from None

    def decide(self, facts: Facts) -> Decision:
        """The decision of the version in force when the order was paid. Raises UnknownPolicyError."""
        return decide(facts, self.in_force(facts.storefront, facts.order.paid_at))
