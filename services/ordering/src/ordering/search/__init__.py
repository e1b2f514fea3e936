"""Finds orders of any shop for agents: by number, id, ICCID, e-mail, phone or the buyer's name."""
