"""Many writers, one shared set of signed append-only logs, peer to peer."""
