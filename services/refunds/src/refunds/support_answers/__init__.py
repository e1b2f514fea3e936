"""What agents write to buyers: answers about a case, answers to a claim, and requests for documents (RF 4.3)."""

from refunds.support_answers.service import SupportAnswers
from refunds.support_answers.store import DELETE_OLD_ANSWERS, ERASE_ANSWERS, answers_about, answers_of_order

__all__ = ["DELETE_OLD_ANSWERS", "ERASE_ANSWERS", "SupportAnswers", "answers_about", "answers_of_order"]
