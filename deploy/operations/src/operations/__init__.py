"""Watches the five services: what they tell each other, and what must hold across them."""
