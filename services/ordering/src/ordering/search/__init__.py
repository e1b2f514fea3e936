"""Finds orders of any shop for agents: by number, id, ICCID, e-mail, phone, name, or a company's name or number."""
