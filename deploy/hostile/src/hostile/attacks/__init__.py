"""One module a door. Each `attack(context)` makes one attempt, chosen by the run's generator."""
