"""The parts of `benchmarks/fuzz.py`: what is sent, whom it is sent to, and what must not happen."""
