"""Convolution over time that sees no future."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tidegate.errors import ShapeError
from tidegate.kernels.activations import ACTIVATIONS
from tidegate.kernels.options import Activation
from tidegate.nn.masks import valid_steps
from tidegate.specs import checks

__all__ = ["CausalConvolution"]


class CausalConvolution(nn.Module):
    r"""A convolution over time whose output sees its own step and those before it (Bai et al., 2018).

    .. math:: y_t = \varphi(b + \sum_{j=0}^{k-1} W_j x_{t - (k-1-j) d})

    with zeros before the first step. In front of a recurrent layer it reads short patterns, such as the change since
    the step before, which the layer need not put together itself. Weights and bias are those of `torch.nn.Conv1d`,
    held in ``convolution``.

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

    Raises
    ------
    SpecError
        If an option cannot be, by name.

    Examples
    --------
    >>> import torch
    >>> layer = CausalConvolution(3, 8, kernel_size=5)
    >>> layer(torch.randn(2, 7, 3)).shape
    torch.Size([2, 7, 8])
    """

    def __init__(
        self, input_size: int, channels: int, kernel_size: int = 3, *, dilation: int = 1, activation: str = "relu"
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "channels": channels, "kernel_size": kernel_size, "dilation": dilation}
        for name, size in sizes.items():
            checks.whole(name, size)
        self.activation = Activation.named("activation", activation)
        self.input_size = input_size
        self.output_size = channels
        self.convolution = nn.Conv1d(input_size, channels, kernel_size, dilation=dilation)
        self.padding = (kernel_size - 1) * dilation  # steps of zeros before the first

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
            return self._convolved(x)
        valid = valid_steps(lengths, x)[:, :, None]  # [batch, time, 1]
        # No valid step sees the padding, but the gradient of the weights would: 0 times NaN is NaN.
        return self._convolved(x.where(valid, x.new_zeros(()))).where(valid, x.new_zeros(()))

    def _convolved(self, x: Tensor) -> Tensor:
        if x.shape[1] == 0:  # torch convolves nothing that is shorter than the kernel
            return x.new_zeros(x.shape[0], 0, self.output_size)
        padded = functional.pad(x.mT, (self.padding, 0))  # [batch, feature, padding + time]
        return ACTIVATIONS[self.activation](self.convolution(padded)).mT

    def extra_repr(self) -> str:
        """Say what the parts do not show."""
        return f"activation={self.activation.name.lower()!r}"
