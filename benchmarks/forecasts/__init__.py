"""The parts of `benchmarks/forecasting.py`: data sets, recipes, scores, and the programs that measure speed."""
