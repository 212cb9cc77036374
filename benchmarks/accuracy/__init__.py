"""How well anomalies are found: the methods that are compared, the run, its tables and its page."""
