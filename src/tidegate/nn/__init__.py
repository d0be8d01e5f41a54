"""Layers and networks: torch modules that know sequences, and no data frames."""

from __future__ import annotations

from tidegate.nn.attention import Attention
from tidegate.nn.build import RecurrentStack, build_stack
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.nn.norm import BatchNorm, LayerNorm

__all__ = ["GRU", "LSTM", "Attention", "BatchNorm", "LayerNorm", "RecurrentStack", "build_stack"]
