"""Layers and networks: torch modules that know sequences, and no data frames."""

from __future__ import annotations

from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM

__all__ = ["GRU", "LSTM"]
