"""The parts of `benchmarks/anomalies.py`: series, made-up anomalies, recipes, baselines, and what is measured."""
