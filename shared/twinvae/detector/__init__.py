"""`VAEDetector`: from a series to a fitted model, and from a fitted model to scores and events."""
