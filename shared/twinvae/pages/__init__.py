"""HTML pages that need no other file and no network: what was detected, a fleet, a benchmark. One look for all."""
