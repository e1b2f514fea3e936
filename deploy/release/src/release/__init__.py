"""Shipping one service alone: see README.md of this folder."""
