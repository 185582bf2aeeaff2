"""Pages and an API over HTTP, from this machine to its user."""
