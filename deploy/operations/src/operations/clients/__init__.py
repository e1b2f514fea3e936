"""One module for each system outside: the services, ordering's answers, the trace store."""
