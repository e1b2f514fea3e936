"""A mail provider: the mailboxes of shops, read by IMAP."""
