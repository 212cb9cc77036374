"""The detector where its users already are: in PyOD and in aeon. Each module imports its project."""
