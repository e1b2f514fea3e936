"""`fulfil`: dead letters, stuck tasks and the log of decisions, of all services as one."""
