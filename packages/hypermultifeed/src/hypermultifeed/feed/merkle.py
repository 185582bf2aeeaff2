"""Which tree nodes are known, and what follows from it: lengths, digests, proofs."""

from __future__ import annotations


class ProofMemory:
    """What one peer has said, on one connection, to have of one feed's tree."""
