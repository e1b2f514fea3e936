"""How an email is composed from its values. Pure, without I/O."""
