"""The exact solver of the cycle-colouring game."""
