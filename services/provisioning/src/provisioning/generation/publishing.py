"""What is told when a profile is there: the event, and whoever in this service looks after its life from then on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from provisioning.clients.models import Made
from provisioning.generation.early_expiry import EarlyExpiries
from provisioning.generation.rules.validity import valid_until
from provisioning.settings import Settings
from shared.contracts import Plan, ProfileGenerated
from shared.database import Tx
from shared.sealed import Sealer
from shared.values.activation_code import ActivationCode


@dataclass(frozen=True, slots=True)
class GeneratedProfile:
    """A profile that was just made for an order, or taken from stock for it. Its row in `profiles` is `generated`."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    operator: str
    #: The operator's own name of the plan.
    profile_type: str
    iccid: str
    paid_at: datetime
    generated_at: datetime
    #: RC 7: when it expires unless it is activated.
    valid_until: datetime
    #: Holds the code, a bearer secret: it goes nowhere but sealed.
    made: Made
    trace: str | None


#: Called with all profiles of a transaction, in the very transaction that publishes ProfileGenerated for them.
GenerationListener = Callable[[Tx, Sequence[GeneratedProfile]], Awaitable[None]]


class ProfilePublisher:
    """Publishes ProfileGenerated; every profile of this service goes through here, exactly once."""

    def __init__(self, settings: Settings, sealer: Sealer, early_expiries: EarlyExpiries) -> None:
        self._settings = settings
        self._operators_days = {one.name: one.unused_validity_days for one in settings.all_operators()}
        self.early_expiries = early_expiries
        self._sealer = sealer
        self._listeners: list[GenerationListener] = []

    def listen(self, listener: GenerationListener) -> None:
        """Call this too."""
        self._listeners.append(listener)

    def valid_until(self, storefront: str, paid_at: datetime, operator: str, made_at: datetime) -> datetime:
        """The last moment at which an eSIM that nobody activated is valid (RC 7): never later than at its operator."""
        days, zone = self._settings.unused_days(storefront), self._settings.zone(storefront)
        operators_days = self._operators_days.get(operator)
        ends_at = None if operators_days is None else made_at + timedelta(days=operators_days)
        promised, kept = valid_until(paid_at, days, zone), valid_until(paid_at, days, zone, ends_at)
        if kept < promised:
            self.early_expiries.count(operator, kept, promised)
        return kept

    async def tell(self, tx: Tx, born: Sequence[GeneratedProfile]) -> None:
        """Publish them. Their rows are settled in this transaction."""
        for one in born:
            tx.publish(self._event(one), trace=one.trace)
        if born:
            for listener in self._listeners:
                await listener(tx, born)

    def _event(self, born: GeneratedProfile) -> ProfileGenerated:
        made = born.made
        secret = made.confirmation_code
        asks = made.asks_confirmation_code or secret is not None
        code = ActivationCode.of(made.smdp_address, made.matching_id, oid=made.oid or "", confirmation_code=asks)
        settings = self._settings
        return ProfileGenerated(
            order_id=born.order_id,
            order_number=born.order_number,
            storefront=born.storefront,
            buyer_id=born.buyer_id,
            plan=born.plan,
            iccid=born.iccid,
            activation_code=self._sealer.seal(code.text.encode()),
            confirmation_code=None if secret is None else self._sealer.seal(secret.encode()),
            apn=_apn(made, settings.profile_type_apn.get(born.profile_type, settings.apn)),
            operator=born.operator,
            paid_at=born.paid_at,
            generated_at=born.generated_at,
            valid_until=born.valid_until,
        )


def _apn(made: Made, configured: str) -> str | None:
    """What the operator says counts, also that phones find it themselves; the configured one where it says nothing."""
    return configured if made.apn is None else made.apn or None
