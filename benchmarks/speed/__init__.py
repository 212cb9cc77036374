"""The speed benchmark: what is measured (`cases`, `implementations`), the run, the results file and its report."""
