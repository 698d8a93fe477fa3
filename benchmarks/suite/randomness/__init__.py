"""The experiment on kinds of randomness: what input seeds give that other randomness does not."""
