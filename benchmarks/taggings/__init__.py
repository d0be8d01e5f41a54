"""The peer of `benchmarks/tagging.py`."""
