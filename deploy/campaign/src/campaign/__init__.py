"""Orders of real users under a seeded schedule of faults, judged by the ledgers outside: see README.md."""
