"""Floor 1: seeded policies and the distributions of their seeds."""
