"""Publishes ProfileGenerated and calls the listeners, in the transaction that settles the order."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from provisioning.clients.models import OperatorProfile
from provisioning.generation.early_expiry import EarlyExpiries
from provisioning.generation.models import GeneratedProfile
from provisioning.generation.rules.validity import valid_until
from provisioning.settings import Settings
from provisioning.shop_terms import ShopTerms
from shared.contracts import ProfileGenerated
from shared.database import Tx
from shared.sealed import Sealer
from shared.values.activation_code import ActivationCode

#: Called with all profiles of a transaction, in the transaction that publishes ProfileGenerated for them.
GenerationListener = Callable[[Tx, Sequence[GeneratedProfile]], Awaitable[None]]


class ProfilePublisher:
    """Publishes ProfileGenerated; every profile of this service passes through it, exactly once."""

    def __init__(self, settings: Settings, terms: ShopTerms, sealer: Sealer, early_expiries: EarlyExpiries) -> None:
        self._settings = settings
        self._terms = terms
        self._operators_days = {operator.name: operator.unused_validity_days for operator in settings.all_operators()}
        self.early_expiries = early_expiries
        self._sealer = sealer
        self._listeners: list[GenerationListener] = []

    def listen(self, listener: GenerationListener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def valid_until(self, storefront: str, paid_at: datetime, operator: str, made_at: datetime) -> datetime:
        """The last moment at which an eSIM that nobody activates is valid (RC 7), never later than at its operator."""
        days, zone = self._terms.unused_days(storefront), self._terms.zone(storefront)
        operators_days = self._operators_days.get(operator)
        ends_at = None if operators_days is None else made_at + timedelta(days=operators_days)
        promised, kept = valid_until(paid_at, days, zone), valid_until(paid_at, days, zone, ends_at)
        if kept < promised:
            self.early_expiries.count(operator, kept, promised)
        return kept

    async def publish(self, tx: Tx, profiles: Sequence[GeneratedProfile]) -> None:
        """Publish these profiles. Their rows are settled in this transaction."""
        for generated in profiles:
            tx.publish(self._event(generated), trace=generated.trace)
        if profiles:
            for listener in self._listeners:
                await listener(tx, profiles)

    def _event(self, generated: GeneratedProfile) -> ProfileGenerated:
        profile, settings = generated.profile, self._settings
        secret = profile.confirmation_code
        asks = profile.asks_confirmation_code or secret is not None
        code = ActivationCode.of(
            profile.smdp_address, profile.matching_id, oid=profile.oid or "", confirmation_code=asks
        )
        return ProfileGenerated(
            **generated.order,
            iccid=generated.iccid,
            activation_code=self._sealer.seal(code.text.encode()),
            confirmation_code=None if secret is None else self._sealer.seal(secret.encode()),
            apn=_apn(profile, settings.profile_type_apn.get(generated.profile_type, settings.apn)),
            operator=generated.operator,
            generated_at=generated.generated_at,
            valid_until=generated.valid_until,
        )


def _apn(profile: OperatorProfile, configured: str) -> str | None:
    """The operator's APN; None where phones find it themselves; the configured one where the operator gives none."""
    return configured if profile.apn is None else profile.apn or None
