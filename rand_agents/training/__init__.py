"""Floor 5, beside evaluation: the three trainers and what they make small."""
