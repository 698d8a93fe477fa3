"""Floor 4: agents, the three trainers, and their files."""
