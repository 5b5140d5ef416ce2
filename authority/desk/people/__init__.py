"""Who works at the desk: accounts, sessions, what takes two persons, tokens of programs. Officers' keys never come here."""
