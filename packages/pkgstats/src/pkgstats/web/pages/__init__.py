"""A module for each page: its dataclass, and the handler that fills it."""
