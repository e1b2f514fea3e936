"""E-mail to a shop's support address: each mail opens or joins a case or a claim, or waits for an agent."""
