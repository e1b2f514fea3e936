"""What operations people see of a service and put right there: dead letters, due work, and the log of what they did.

Every service serves it under `/operations` where the setting OPERATIONS_KEYS names somebody. Personal data stay sealed
in every answer: a letter that may hold some shows neither its payload nor a key or header of somebody else's making.
"""
