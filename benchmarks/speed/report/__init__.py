"""What is made of a results file: bars, tables, pictures, the page, the comparison of two files."""
