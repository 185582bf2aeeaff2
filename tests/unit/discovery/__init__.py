"""Finding peers, without I/O."""
