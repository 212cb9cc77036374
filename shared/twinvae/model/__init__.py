"""The fitted model and the files it is written to."""
