"""The messages of the Open Inference Protocol, from their description.

``open_inference.proto`` is for people and their clients, ``open_inference.binpb`` is what protoc makes of it. The
messages are built from that when this module is imported, in a pool of their own: no generated code ties Tidegate to
a version of protobuf, and a process may hold another client of the same protocol beside it.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from tidegate._core.extras import require

__all__ = ["POOL", "SERVICE", "message"]

_PURPOSE = "tidegate serve"
require("google.protobuf", extra="serve", purpose=_PURPOSE)

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

SERVICE = "inference.GRPCInferenceService"


def _pool() -> descriptor_pool.DescriptorPool:
    described = resources.files(__name__).joinpath("open_inference.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


#: The descriptors, for reflection.
POOL = _pool()


def message(name: str) -> Any:
    """Give the class of a message of the package ``inference``, such as ``ModelInferRequest``."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"inference.{name}"))
