"""The generic path: instances, contexts, who shares what, and gradients by the score function."""
