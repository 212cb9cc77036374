"""A series from whatever the user has, and results back onto its index; gaps and scaling."""
