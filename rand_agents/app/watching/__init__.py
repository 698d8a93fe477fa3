"""`watch`: players side by side, on layouts of one's choice."""
