"""The guided tour: acts on a stack of their own, told in plain words and judged by the sandbox's ledgers."""
