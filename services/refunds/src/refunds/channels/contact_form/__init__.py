"""The contact form of a shop's site: a message that waits for an agent, as an e-mail of an unproved sender does."""
