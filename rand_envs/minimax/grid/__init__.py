"""The exact solver of the grid as a search game."""
