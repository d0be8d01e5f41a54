"""Where tensors live: the meaning of ``device="auto"``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.errors import SpecError

if TYPE_CHECKING:
    import torch

__all__ = ["resolve_device"]


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or a device into a device that is there.

    ``"auto"`` takes CUDA, then Apple's MPS, then the CPU.

    Raises
    ------
    SpecError
        If the name is no device, or the machine has no such device.
    """
    import torch

    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SpecError(f"device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (found.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(found.type, False):
        raise SpecError(f"device {str(found)!r} is not on this machine; use device='auto' or 'cpu'")
    return found
