"""Stand-ins for the bank, the operator and the mail server: exact on the wire, with ledgers and faults."""
