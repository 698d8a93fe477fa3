"""Floor 5: how good a player is."""
