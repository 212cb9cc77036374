"""Everything that is not framework code: windows, schedules, scores, thresholds, the detector, the command."""
