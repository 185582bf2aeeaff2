"""Checks of the repository itself: import rules, documents, packaging."""
