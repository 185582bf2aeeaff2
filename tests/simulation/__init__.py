"""Seeded simulations: virtual time, no I/O, the same seed gives the same trace."""
