"""What can happen to a run and to its files, and what must come of it."""
