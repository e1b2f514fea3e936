"""The tables of a channel's chats. What identifies a person is sealed to this service, or stored as a keyed hash."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp


def chat_tables(metadata: MetaData, channel: str) -> Mapping[str, Table]:
    """`chats`, `cases` and `updates` of a channel: `telegram_chats`, ...

    A chat: `chat_key` is a keyed hash of shop and chat id, `sealed` chat id and state. Its cases: whose answers it
    receives, deleted with the chat. Updates: ids of messages that were handled, because channels repeat them.
    """
    return {
        "chats": Table(
            f"{channel}_chats",
            metadata,
            Column("chat_key", LargeBinary, primary_key=True),
            Column("storefront", Text, nullable=False),
            Column("sealed", JSONB, nullable=False),
            timestamp("updated_at", nullable=False),
            timestamp("keep_until", nullable=False),
            Index(f"{channel}_chats_end", "keep_until"),
        ),
        "cases": Table(
            f"{channel}_cases",
            metadata,
            Column("case_id", Uuid, primary_key=True),
            Column("chat_key", LargeBinary, primary_key=True),
            Column("buyer_id", Uuid, nullable=False),
            timestamp("opened_at", nullable=False),
            Index(f"{channel}_cases_chat", "chat_key"),
            Index(f"{channel}_cases_buyer", "buyer_id"),
        ),
        "updates": Table(
            f"{channel}_updates",
            metadata,
            Column("storefront", Text, primary_key=True),
            Column("update_id", BigInteger, primary_key=True, autoincrement=False),
            timestamp("received_at", nullable=False),
            Index(f"{channel}_updates_received", "received_at"),
        ),
    }


def site_tables(metadata: MetaData) -> tuple[Table, Table]:
    """Of the chat of a shop's site: answers that the shop fetches, deleted with their chat, and wrong guesses.

    `number` counts the answers of a chat; `answer_key`: what it answers, so that it is stored once. `sealed`: text and
    language. A guess: `number_key` is a keyed hash of shop and order number; kept for a day.
    """
    answers = Table(
        "site_answers",
        metadata,
        Column("chat_key", LargeBinary, ForeignKey("site_chats.chat_key", ondelete="CASCADE"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("answer_key", Text, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        timestamp("at", nullable=False),
        Index("site_answers_key", "chat_key", "answer_key", unique=True),
    )
    guesses = Table(
        "site_guesses",
        metadata,
        Column("guess_id", Uuid, primary_key=True),
        Column("number_key", LargeBinary, nullable=False),
        timestamp("guessed_at", nullable=False),
        Index("site_guesses_of", "number_key", "guessed_at"),
        Index("site_guesses_end", "guessed_at"),
    )
    return answers, guesses
