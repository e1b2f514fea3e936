"""What agents write to buyers: answers about a case, answers to a claim, and requests for documents (RF 4.3)."""

from refunds.support_answers.rules import PLACEHOLDERS, TemplateError, check, day, fill, money
from refunds.support_answers.service import AGENT_WORDS, SupportAnswers
from refunds.support_answers.store import (
    DELETE_OLD_ANSWERS,
    ERASE_ANSWERS,
    add_template,
    answers_about,
    answers_of_order,
    change_template,
    template,
    templates_of,
)

__all__ = [
    "AGENT_WORDS",
    "DELETE_OLD_ANSWERS",
    "ERASE_ANSWERS",
    "PLACEHOLDERS",
    "SupportAnswers",
    "TemplateError",
    "add_template",
    "answers_about",
    "answers_of_order",
    "change_template",
    "check",
    "day",
    "fill",
    "money",
    "template",
    "templates_of",
]
