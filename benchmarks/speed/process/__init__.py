"""What happens in the fresh process that measures: nothing here knows of the reports."""
