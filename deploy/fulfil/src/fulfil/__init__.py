"""`fulfil`: dead letters, stuck work and the log of decisions, of all services as one."""
