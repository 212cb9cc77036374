"""The GPU's run: everything worth measuring on a borrowed GPU, in eight minutes, each result kept as it finishes."""
