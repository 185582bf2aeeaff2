"""The crawler: asks what is due and mine, says what is new, goes on where it was interrupted."""
