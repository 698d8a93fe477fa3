"""What every game and its players are made of."""
