"""The buyer's contact data: who is the buyer (I14), and corrections (PP 6.1)."""
