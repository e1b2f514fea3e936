"""The tables that every service has: inbox, outbox, tasks, worker instances, dead letters, operations log."""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def timestamp(name: str, **options: object) -> Column[object]:
    """A `timestamptz` column."""
    return Column(name, DateTime(timezone=True), **options)  # type: ignore[arg-type] # options are Column's own


#: Events of our own services that were applied. Partitioned by the day inside the UUIDv7. `source` is null in rows of
#: earlier releases, which stored ids only.
inbox = Table("inbox", metadata, Column("event_id", Uuid, primary_key=True), Column("source", Text))

#: Events of other senders, and ids whose time is far away, by the day of their arrival (messaging/inbox.py).
inbox_by_arrival = Table(
    "inbox_by_arrival",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("arrived_on", Date, nullable=False),
    Index("inbox_by_arrival_day", "arrived_on"),
)

#: The days on which the inbox was maintained. A partition is dropped after enough such days, so that a clock that jumps
#: ahead drops no more than one day does.
inbox_days = Table("inbox_days", metadata, Column("day", Date, primary_key=True))

outbox = Table(
    "outbox",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", JSONB, nullable=False),
    timestamp("born_at", nullable=False),
)

#: state: due | unknown (a call may have happened: ask before repeating) | parked (waits for a person).
work = Table(
    "work",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    timestamp("due_at", nullable=False),
    Column("owner", Uuid),
    Column("trace", Text),
    Column("last_error", Text),
    timestamp("created_at", nullable=False),
    Index("work_intent", "kind", "key", unique=True),
    Index("work_due", "kind", "due_at", postgresql_where=text("owner IS NULL AND state <> 'parked'")),
)

#: A running worker instance. One heartbeat of this row renews the leases of all its tasks.
instances = Table(
    "instances",
    metadata,
    Column("id", Uuid, primary_key=True),
    timestamp("expires_at", nullable=False),
)

#: state: waiting | redriven | discarded, the latter two by a person (`decided_by`), for a reason (`decision`).
#: `redrives` counts the attempts to apply it again. A decision deletes what is sealed and not listed.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", BigInteger, nullable=False),
    Column("key", Text),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("payload", LargeBinary),
    Column("sealed", Integer, nullable=False, server_default="0"),
    timestamp("received_at", nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    timestamp("decided_at"),
    Column("decided_by", Text),
    Column("decision", Text),
    Column("redrives", Integer, nullable=False, server_default="0"),
    Index("dead_letters_record", "topic", "partition", "record_offset", unique=True),
    Index("dead_letters_by_state", "state", "id"),
)

#: What operations people did to dead letters and tasks. No personal data: `details` holds ids and places.
operations_log = Table(
    "operations_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    timestamp("at", nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Index("operations_log_subject", "subject"),
)

_CREATE_INBOX = """
CREATE TABLE inbox (event_id uuid PRIMARY KEY) PARTITION BY RANGE (event_id);
CREATE TABLE inbox_other PARTITION OF inbox DEFAULT;

CREATE FUNCTION uuid7_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Runs with its owner's rights: the service itself needs no DDL. Keeps `ahead` days ready and drops older ones.
CREATE FUNCTION inbox_maintain(today date, ahead int, keep int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  day date;
  part record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('inbox_maintain'));
  FOR day IN SELECT generate_series(today - 1, today + ahead, interval '1 day')::date LOOP
    IF to_regclass(format('inbox_%s', to_char(day, 'YYYYMMDD'))) IS NULL AND NOT EXISTS (
      SELECT 1 FROM inbox_other WHERE event_id >= uuid7_floor(day AT TIME ZONE 'UTC')
                                  AND event_id < uuid7_floor((day + 1) AT TIME ZONE 'UTC')) THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)',
        format('inbox_%s', to_char(day, 'YYYYMMDD')),
        uuid7_floor(day AT TIME ZONE 'UTC'), uuid7_floor((day + 1) AT TIME ZONE 'UTC'));
    END IF;
  END LOOP;
  FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{8}$'
                AND c.relname < format('inbox_%s', to_char(today - keep, 'YYYYMMDD')) LOOP
    EXECUTE format('DROP TABLE %I', part.relname);
  END LOOP;
END $$;
"""

_TUNE = """
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE work SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                      autovacuum_vacuum_cost_delay = 0, fillfactor = 80);
"""


#: The first version; `upgrade_v2` adds to it.
_DEAD_LETTERS_V1 = """
CREATE TABLE dead_letters (
  id uuid PRIMARY KEY,
  topic text NOT NULL,
  partition integer NOT NULL,
  record_offset bigint NOT NULL,
  key text,
  reason text NOT NULL,
  detail text NOT NULL,
  headers jsonb NOT NULL,
  payload bytea,
  sealed integer NOT NULL DEFAULT 0,
  received_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX dead_letters_record ON dead_letters (topic, partition, record_offset);
"""
#: An earlier release still inserts dead letters without the new columns: their state is then `waiting`.
_DECISIONS = """
ALTER TABLE dead_letters
  ADD COLUMN state text NOT NULL DEFAULT 'waiting',
  ADD COLUMN decided_at timestamptz,
  ADD COLUMN decided_by text,
  ADD COLUMN decision text,
  ADD COLUMN redrives integer NOT NULL DEFAULT 0;
CREATE INDEX dead_letters_by_state ON dead_letters (state, id);
"""
#: Replaces the function that earlier releases call too. Rows of the default partition are moved to their day, because
#: they would prevent the creation of its partition. How long partitions stay is counted in days of maintenance.
_IDENTITIES = """
ALTER TABLE inbox ADD COLUMN source text;

CREATE OR REPLACE FUNCTION inbox_maintain(today date, ahead int, keep int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  day date;
  part record;
  oldest date;
  low uuid;
  high uuid;
  ids uuid[];
  sources text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('inbox_maintain'));
  INSERT INTO inbox_days VALUES (today) ON CONFLICT DO NOTHING;
  FOR day IN SELECT generate_series(today - 1, today + ahead, interval '1 day')::date LOOP
    IF to_regclass(format('inbox_%s', to_char(day, 'YYYYMMDD'))) IS NULL THEN
      low := uuid7_floor(day AT TIME ZONE 'UTC');
      high := uuid7_floor((day + 1) AT TIME ZONE 'UTC');
      ids := NULL;
      IF EXISTS (SELECT FROM inbox_other WHERE event_id >= low AND event_id < high) THEN
        LOCK TABLE inbox, inbox_other IN ACCESS EXCLUSIVE MODE;
        WITH moved AS (DELETE FROM inbox_other WHERE event_id >= low AND event_id < high RETURNING event_id, source)
        SELECT array_agg(event_id), array_agg(source) INTO ids, sources FROM moved;
      END IF;
      EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)',
        format('inbox_%s', to_char(day, 'YYYYMMDD')), low, high);
      IF ids IS NOT NULL THEN
        INSERT INTO inbox (event_id, source) SELECT * FROM unnest(ids, sources);
      END IF;
    END IF;
  END LOOP;
  SELECT d.day INTO oldest FROM inbox_days d ORDER BY d.day DESC OFFSET keep LIMIT 1;
  IF oldest IS NULL THEN
    RETURN;
  END IF;
  oldest := LEAST(oldest, today - keep);
  FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
              WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{8}$'
                AND c.relname < format('inbox_%s', to_char(oldest, 'YYYYMMDD')) LOOP
    EXECUTE format('DROP TABLE %I', part.relname);
  END LOOP;
  DELETE FROM inbox_by_arrival WHERE arrived_on < oldest;
  DELETE FROM inbox_days d WHERE d.day < oldest;
END $$;
"""


def upgrade_v1(op: object) -> None:
    """Create the core tables, first version. `op` is Alembic's operations module."""
    bind = op.get_bind()  # type: ignore[attr-defined] # Alembic's `op` is a proxy module
    bind.exec_driver_sql(_CREATE_INBOX.replace("%", "%%"))
    metadata.create_all(bind, tables=[outbox, work, instances], checkfirst=False)
    bind.exec_driver_sql(_DEAD_LETTERS_V1)
    bind.exec_driver_sql(_TUNE)


def upgrade_v2(op: object) -> None:
    """Add decisions about dead letters and the operations log. It only adds: earlier releases run on it."""
    bind = op.get_bind()  # type: ignore[attr-defined] # as above
    bind.exec_driver_sql(_DECISIONS)
    metadata.create_all(bind, tables=[operations_log], checkfirst=False)


def upgrade_v3(op: object) -> None:
    """Identify events by (source, id); an id from outside no longer selects the partition. It only adds."""
    bind = op.get_bind()  # type: ignore[attr-defined] # as above
    metadata.create_all(bind, tables=[inbox_by_arrival, inbox_days], checkfirst=False)
    bind.exec_driver_sql(_IDENTITIES.replace("%", "%%"))


def upgrade_v4(op: object) -> None:
    """Keep no statistics of contents. It changes nothing that is stored."""
    without_statistics(op, {"work": ("payload", "trace"), "outbox": ("value", "headers")})


def without_statistics(op: object, columns: Mapping[str, Sequence[str]]) -> None:
    """Let ANALYZE leave out columns whose values no query compares, by table.

    Autovacuum analyses a table whenever a tenth of it has changed. Documents and traces were half of its processor time
    for the tables that an order fills.
    """
    bind = op.get_bind()  # type: ignore[attr-defined] # Alembic's `op` is a proxy module
    for table, names in columns.items():
        actions = ", ".join(f"ALTER COLUMN {name} SET STATISTICS 0" for name in names)
        bind.exec_driver_sql(f"ALTER TABLE {table} {actions}")
