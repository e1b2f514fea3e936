"""The denial of a cancellation where the operator refused to revoke the profile (RC 1, RC 5)."""

from refunds.cases.models.case import Case
from refunds.cases.models.file import Order
from refunds.policy.models.decision import Deadlines, Decision
from shared.contracts import Explanation, Ground

_GROUNDS = (
    Ground(document="RC", clause="5", text="Cancellation is possible only while the eSIM is not installed."),
    Ground(document="RC", clause="1", text="An installed eSIM is not refundable, even where it was not used."),
)


def refused_revocation(order: Order, case: Case) -> Decision:
    """The decision that denies the cancellation."""
    number = order.row.order_number
    return Decision(
        verdict="deny",
        policy=case.policy or f"{order.row.storefront}@1",
        grounds=_GROUNDS,
        explanation=Explanation(
            en=f"Order {number} could not be cancelled: the operator could not take the eSIM back, because it is "
            "installed on a device already (Refund & Cancellation Policy 5 and 1). If you think that this is wrong, "
            "answer this message in writing: another member of our staff will look at your request.",
            ru=f"Заказ {number} не удалось отменить: оператор не смог отозвать eSIM, так как она уже установлена на "
            "устройство (пп. 5 и 1 политики возврата и отмены). Если вы не согласны, ответьте на это письмо: ваш "
            "запрос рассмотрит другой сотрудник.",
        ),
        refund=None,
        missing=(),
        deadlines=Deadlines(),
    )
