"""The parts of `benchmarks/recurrent.py`: a module for each kind of comparison, and the rows that they give."""
