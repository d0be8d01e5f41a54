"""How the outputs of all steps become one vector a sequence."""

from __future__ import annotations

__all__ = ["POOLINGS"]

#: ``"last"``: where the network has read the whole sequence; ``"mean"``, ``"max"``: over the steps; ``"mean_max"``:
#: both side by side; ``"attention"``: a mean whose weights are learned (Bahdanau et al., 2015; Yang et al., 2016).
POOLINGS = ("last", "mean", "max", "mean_max", "attention")
