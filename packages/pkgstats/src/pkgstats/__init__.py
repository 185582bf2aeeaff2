"""npm package discovery and statistics, local first."""
