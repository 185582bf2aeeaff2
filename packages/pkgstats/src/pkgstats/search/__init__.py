"""Search: queries, an index of the facts in SQLite, candidates, ranking, and the engine."""
