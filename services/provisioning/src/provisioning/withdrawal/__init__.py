"""Withdrawal: cancels at an operator what an order or the stock left there."""
