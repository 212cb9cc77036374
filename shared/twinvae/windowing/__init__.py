"""Windows of a series: how many there are, cutting them out, folding them back, and the series' period."""
