"""What windows have in common: a loop, sheets of pictures, and films."""
