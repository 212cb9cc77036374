"""Many series, each with a detector of its own."""
