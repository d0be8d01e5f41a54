"""Normalisation between layers, for sequences [batch, time, feature]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tidegate.errors import ShapeError
from tidegate.nn.masks import valid_steps
from tidegate.specs import checks

__all__ = ["BatchNorm", "LayerNorm"]

LayerNorm = nn.LayerNorm  # over the last axis; every step stands alone, so padding cannot reach it


class BatchNorm(nn.Module):
    """Batch normalisation over batch and time (Ioffe & Szegedy, 2015), which does not count padding.

    Each feature is centred and scaled by its mean and variance over all steps of all sequences of the batch; in
    evaluation by running statistics, so that a forecast step by step equals one in a single pass. On input without
    ``lengths`` it is `torch.nn.BatchNorm1d`, whose parameters and buffers it holds in ``norm``.

    Parameters
    ----------
    size
        Features.
    eps
        Added to the variance.
    momentum
        The new batch's share in the running statistics; ``None`` averages over all batches.

    Raises
    ------
    SpecError
        If an option cannot be, by name.

    Examples
    --------
    >>> norm = BatchNorm(2)
    >>> y = norm(torch.randn(4, 5, 2), lengths=torch.tensor([5, 5, 2, 0]))
    >>> y[3].abs().sum().item()
    0.0
    """

    def __init__(self, size: int, *, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__()
        checks.whole("size", size)
        checks.at_least("eps", eps, 0, exclusive=True)
        if momentum is not None:
            checks.at_least("momentum", momentum, 0)
        self.norm = nn.BatchNorm1d(size, eps=eps, momentum=momentum)

    def reset_parameters(self) -> None:
        """Forget the running statistics; scale by 1, shift by 0."""
        self.norm.reset_parameters()

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Normalise.

        Parameters
        ----------
        x
            [batch, time, feature].
        lengths
            Whole numbers [batch]: how many steps of each sequence count. Later steps enter no statistic, and are 0
            in the output.

        Returns
        -------
        Tensor
            [batch, time, feature]. In training, a batch with lengths that add up to less than two steps has no
            variance: it is only centred, and leaves the running statistics as they are.

        Raises
        ------
        ShapeError
            If ``x`` or ``lengths`` is not of the shape or dtype above.
        ValueError
            In training, without ``lengths``, if there is but one step: by torch.
        """
        if x.dim() != 3 or x.shape[-1] != self.norm.num_features:
            raise ShapeError(f"expected [batch, time, {self.norm.num_features}]; got {list(x.shape)}")
        if lengths is None:
            return self._dense(x)
        valid = valid_steps(lengths, x)[:, :, None]  # [batch, time, 1]
        return (self._masked(x, valid) if self.training else self._dense(x)).where(valid, x.new_zeros(()))

    def _dense(self, x: Tensor) -> Tensor:
        rows: Tensor = self.norm(x.flatten(0, 1))  # [batch · time, feature]
        return rows.view_as(x)

    def _masked(self, x: Tensor, valid: Tensor) -> Tensor:
        """Normalise by masked statistics; picking the valid rows out would make a GPU wait for their number."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # statistics in half precision would be none
        count = valid.sum().to(wide.dtype)
        divisor = count.clamp(min=1)
        zero = wide.new_zeros(())
        mean = wide.where(valid, zero).sum((0, 1)) / divisor  # [feature]
        centred = (wide - mean).where(valid, zero)
        variance = centred.square().sum((0, 1)) / divisor
        self._follow(mean.detach(), variance.detach(), count)
        norm = self.norm
        scaled = centred * (variance + norm.eps).rsqrt() * norm.weight + norm.bias
        return scaled.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics as torch does: the variance that they keep is the unbiased one."""
        norm = self.norm
        running_mean, running_var, batches = norm.running_mean, norm.running_var, norm.num_batches_tracked
        assert running_mean is not None  # as it may be in torch's; never in the one that is built above
        assert running_var is not None
        assert batches is not None
        enough = count > 1
        batches += enough
        share = 1 / batches.clamp(min=1) if norm.momentum is None else torch.full_like(count, norm.momentum)
        share = (share * enough).to(running_mean.dtype)
        unbiased = variance * count / (count - 1).clamp(min=1)
        running_mean.lerp_(mean.to(running_mean.dtype), share)
        running_var.lerp_(unbiased.to(running_var.dtype), share)
