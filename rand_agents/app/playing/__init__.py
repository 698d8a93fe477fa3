"""`play`: a person against an adversary that learns where they look last."""
