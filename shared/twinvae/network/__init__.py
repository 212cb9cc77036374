"""What both backends compute: sizes, parameters, objective, schedule of steps, and the interface of a backend."""
