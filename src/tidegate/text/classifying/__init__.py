"""The parts of a classifier of texts: what it reads, its networks, the linear model beside them, and how they mix."""
