"""Layouts, and the spaces of legal ones."""
