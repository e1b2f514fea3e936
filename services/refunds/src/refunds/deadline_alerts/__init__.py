"""Alerts of a shop's agents before the deadline of a case or claim passes, once for each deadline."""
