"""Floor 4: agents, the two trainers, and their files."""
