"""The whole product for tests: all five services and the sandbox, and the sandbox's ledgers as the only judge."""
