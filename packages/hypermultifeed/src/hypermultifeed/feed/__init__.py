"""One signed append-only log: tree, proofs, bitfield, file layout. Pure; storage is injected."""
