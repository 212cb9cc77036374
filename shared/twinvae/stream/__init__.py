"""Scoring an endless stream point by point."""
