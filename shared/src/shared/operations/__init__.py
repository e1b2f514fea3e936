"""Dead letters and stuck tasks of a service, the decisions of operations people about them, and the log of those.

Served under `/operations` by every service whose setting OPERATIONS_KEYS is not empty. No answer shows personal data: a
dead letter that may hold some shows neither its payload nor any text that its sender chose.
"""
