"""Hostile input against the running product: every door at once, from a seed, judged while good orders go on."""
