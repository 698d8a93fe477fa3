"""Floor 4: what every agent is: it acts, learns update by update, and has a file."""
