"""Wrappers for environments and policies of others."""
