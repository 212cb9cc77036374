"""Labelled series: synthetic ones, and public data sets."""
