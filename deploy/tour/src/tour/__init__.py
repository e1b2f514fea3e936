"""The guided tour: acts on a stack of their own, in plain words, judged by the sandbox's ledgers."""
