"""Facts of all services: the handlers, what each fact shows, and the rows that it fills."""
