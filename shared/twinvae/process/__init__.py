"""This process: its processor cores, its progress bar, and its warnings as data."""
