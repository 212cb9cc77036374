"""Tables in files: CSV, Parquet and .npy, read and written."""
