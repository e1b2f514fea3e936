"""Facts in, facts out: the inbox, the outbox, and what happens to records that cannot be read."""
