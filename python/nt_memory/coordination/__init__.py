"""How agents talk to each other: messages on topics."""
