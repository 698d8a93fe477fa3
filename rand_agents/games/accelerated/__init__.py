"""Games that are played otherwise than by the generic path, or faster and equal to it."""
