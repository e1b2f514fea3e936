"""Due work: timers of cases and claims, deliveries that are late, and the figures of what is about to be missed."""
