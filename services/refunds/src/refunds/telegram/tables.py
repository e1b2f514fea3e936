"""The bot's tables. What identifies a person is sealed to this service, or a keyed hash."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from refunds.tables import metadata
from shared.core_tables import timestamp

#: A chat with a storefront's bot. `chat_key`: keyed hash of bot and chat id. `sealed`: chat id and what was told.
telegram_chats = Table(
    "telegram_chats",
    metadata,
    Column("chat_key", LargeBinary, primary_key=True),
    Column("storefront", Text, nullable=False),
    Column("sealed", JSONB, nullable=False),
    timestamp("updated_at", nullable=False),
    timestamp("keep_until", nullable=False),
    Index("telegram_chats_end", "keep_until"),
)

#: Who is to hear of a case. Goes with its chat.
telegram_cases = Table(
    "telegram_cases",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("chat_key", LargeBinary, primary_key=True),
    Column("buyer_id", Uuid, nullable=False),
    timestamp("opened_at", nullable=False),
    Index("telegram_cases_chat", "chat_key"),
    Index("telegram_cases_buyer", "buyer_id"),
)

#: Updates that were taken in; Telegram sends one again until it is answered.
telegram_updates = Table(
    "telegram_updates",
    metadata,
    Column("storefront", Text, primary_key=True),
    Column("update_id", BigInteger, primary_key=True, autoincrement=False),
    timestamp("received_at", nullable=False),
    Index("telegram_updates_received", "received_at"),
)
