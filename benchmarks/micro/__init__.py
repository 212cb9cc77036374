"""Small cases for pytest-benchmark."""
