"""The tables of a channel's chats. What identifies a person is sealed to this service, or stored as a keyed hash."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text, Uuid
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
