"""The detector where its users already are: in PyOD, in aeon, in TSB-AD. Each module imports its project."""
