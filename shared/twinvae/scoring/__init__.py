"""From reconstructions to scores, thresholds and events."""
