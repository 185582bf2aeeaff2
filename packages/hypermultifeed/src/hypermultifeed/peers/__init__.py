"""Whom to dial and when, whom to let in, which of two connections stays. Pure."""
