"""Layers and networks: torch modules that know sequences, and no data frames."""

from __future__ import annotations

from tidegate.nn.attention import Attention
from tidegate.nn.build import RecurrentStack, build_stack
from tidegate.nn.convolution import Convolution
from tidegate.nn.crf import CRF
from tidegate.nn.dilated import Dilated
from tidegate.nn.dilated_stack import DilatedStack, build_dilated
from tidegate.nn.gru import GRU
from tidegate.nn.lstm import LSTM
from tidegate.nn.network import PartStack, build_network
from tidegate.nn.norm import BatchNorm, LayerNorm
from tidegate.nn.parallel import Parallel
from tidegate.nn.pooled import PooledNetwork
from tidegate.nn.pooling import Pooling
from tidegate.nn.self_attention import SelfAttention

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "Attention",
    "BatchNorm",
    "Convolution",
    "Dilated",
    "DilatedStack",
    "LayerNorm",
    "Parallel",
    "PartStack",
    "PooledNetwork",
    "Pooling",
    "RecurrentStack",
    "SelfAttention",
    "build_dilated",
    "build_network",
    "build_stack",
]
