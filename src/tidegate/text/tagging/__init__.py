"""The parts of a tagger: what it reads of words, its network, its training, its answers and their scores."""
