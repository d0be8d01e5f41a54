"""Convolution over time, which sees no future unless it is told to."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError
from tidegate.kernels.activations import ACTIVATIONS
from tidegate.kernels.options import Activation
from tidegate.nn.masks import valid_steps
from tidegate.nn.norm import BatchNorm
from tidegate.specs import checks

__all__ = ["Convolution"]


class Convolution(nn.Module):
    r"""A convolution over time whose output sees its own step and those before it (Bai et al., 2018).

    .. math:: y_t = \varphi(b + \sum_{j=0}^{k-1} W_j x_{t - (k-1-j) d})

    with zeros before the first step. Otherwise the steps that it sees lie about its own, of an even number the odd one
    after it, with zeros at both ends. In front of a recurrent layer it reads short patterns, such as the change since
    the step before, which the layer need not put together itself. Weights and bias are those of `torch.nn.Conv1d`,
    held in ``convolution``; a norm stands between them and φ, and has a shift of its own in the place of the bias.

    Parameters
    ----------
    input_size
        Features of the input.
    channels
        Features of the output.
    kernel_size
        Steps that an output sees, k.
    dilation
        Distance between them, d.
    activation
        φ: ``"tanh"``, ``"sigmoid"``, ``"hard_sigmoid"``, ``"relu"``, ``"softsign"`` or ``"linear"``.
    causal
        Whether an output sees no later step than its own.
    norm
        ``None``, or ``"batch"``: a `BatchNorm`, held in ``norm``.

    Raises
    ------
    SpecError
        If an option cannot be, by name.

    Examples
    --------
    >>> import torch
    >>> layer = Convolution(3, 8, kernel_size=5)
    >>> layer(torch.randn(2, 7, 3)).shape
    torch.Size([2, 7, 8])
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        kernel_size: int = 3,
        *,
        dilation: int = 1,
        activation: str = "relu",
        causal: bool = True,
        norm: str | None = None,
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "channels": channels, "kernel_size": kernel_size, "dilation": dilation}
        for name, size in sizes.items():
            checks.whole(name, size)
        checks.flag("causal", causal)
        checks.one_of("norm", norm, (None, "batch"))
        self.activation = Activation.named("activation", activation)
        self.causal = causal
        self.input_size = input_size
        self.output_size = channels
        self.convolution = nn.Conv1d(input_size, channels, kernel_size, dilation=dilation, bias=norm is None)
        self.norm = BatchNorm(channels) if norm == "batch" else None
        seen = (kernel_size - 1) * dilation
        before = seen if causal else (kernel_size - 1) // 2 * dilation
        self.padding = (before, seen - before)  # steps of zeros before the first and after the last

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Convolve.

        Parameters
        ----------
        x
            [batch, time, feature].
        lengths
            Whole numbers [batch]: how many steps of each sequence count. Later steps reach nothing, and are 0 in the
            output.

        Returns
        -------
        Tensor
            [batch, time, channel].

        Raises
        ------
        ShapeError
            If ``x`` or ``lengths`` is not of the shape or dtype above.
        """
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(f"expected [batch, time, {self.input_size}]; got {list(x.shape)}")
        if lengths is None:
            return self._convolved(x, None)
        valid = valid_steps(lengths, x)[:, :, None]  # [batch, time, 1]
        # The end of a sequence is followed by zeros, whatever the batch has there: 0 times NaN is NaN.
        return self._convolved(x.where(valid, x.new_zeros(())), lengths).where(valid, x.new_zeros(()))

    def _convolved(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        if x.shape[1] == 0:  # torch convolves nothing that is shorter than the kernel
            return x.new_zeros(x.shape[0], 0, self.output_size)
        sums = self.convolution(functional.pad(x.mT, self.padding)).mT
        return ACTIVATIONS[self.activation](sums if self.norm is None else self.norm(sums, lengths=lengths))

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"activation={self.activation.name.lower()!r}, causal={self.causal}"
