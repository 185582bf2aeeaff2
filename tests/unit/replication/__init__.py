"""The exchange of feeds, without I/O."""
