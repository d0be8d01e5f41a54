"""The networks of a detector as one module: values in, what should have been there out."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from tidegate.data import Batch
from tidegate.errors import DataError, SpecError
from tidegate.nn.network import build_network
from tidegate.nn.scaling import WindowScale, WindowScaling
from tidegate.nn.series_scaling import SeriesScaling
from tidegate.specs import Scaling
from tidegate.specs.detection import Autoencoder, Method, Prediction
from tidegate.specs.parts import Network
from tidegate.training import Outcome
from tidegate.training.losses import reduce_loss, resolve_loss

__all__ = [
    "CALMEST",
    "FURTHEST",
    "Design",
    "Detection",
    "DetectionObjective",
    "Forecasting",
    "Reconstruction",
    "check_scaling",
]

CALMEST = 0.05  # a window that moves less, in units of its series, is not blown up any further
FURTHEST = 20.0  # of what a network reads, in scaled units; a larger value would drown all others


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """What the module of a detector is built from.

    Parameters
    ----------
    method, network, scaling
        As the detector's.
    context
        Steps of a window, a season among them.
    targets, series, members
        How many variables; series in training; networks.
    """

    method: Method
    network: Network
    scaling: Scaling
    context: int
    targets: int
    series: int
    members: int

    @property
    def steps(self) -> int:
        """Steps that are made from one window: all of it, or those that follow it."""
        return self.method.horizon if isinstance(self.method, Prediction) else self.context

    @property
    def first(self) -> int:
        """Where they begin, in steps from the beginning of the window."""
        return self.context if isinstance(self.method, Prediction) else 0

    @property
    def together(self) -> str:
        """How the errors of a point become one."""
        return self.method.together if isinstance(self.method, Prediction) else "median"


class Reconstruction(nn.Module):
    """Encoder, bottleneck, repeat, decoder, one dense layer a step.

    Parameters
    ----------
    network
        Describes the recurrent layers of encoder and decoder.
    targets, bottleneck
        Variables; numbers that a window passes through.
    """

    def __init__(self, network: Network, *, targets: int, bottleneck: int) -> None:
        super().__init__()
        self.encoder = build_network(network, 2 * targets)
        self.bottleneck = nn.Linear(self.encoder.output_size, bottleneck)
        self.decoder = build_network(network, bottleneck)
        self.dense = nn.Linear(self.decoder.output_size, targets)

    def forward(self, x: Tensor) -> Tensor:
        """Build windows again: [batch, time, 2 · target] (values, masks) to [batch, time, target]."""
        code = self.bottleneck(_summary(self.encoder(x)[0], bidirectional=self.encoder.bidirectional))
        backwards, _ = self.decoder(code.unsqueeze(1).expand(-1, x.shape[1], -1).contiguous())
        made: Tensor = self.dense(backwards.flip(1))  # the last step first: it is the freshest
        return made

    def newest(self, x: Tensor) -> Tensor:
        """Build the last step alone, [batch, 1, target]: the first that a decoder makes, if it goes one way."""
        if self.decoder.bidirectional or not self.decoder.streams:
            whole: Tensor = self(x)
            return whole[:, -1:]
        code = self.bottleneck(_summary(self.encoder(x)[0], bidirectional=False))
        made: Tensor = self.dense(self.decoder(code.unsqueeze(1))[0])
        return made


class Forecasting(nn.Module):
    """Recurrent layers and a dense one that gives all steps at once, beside a linear prediction if it is asked for.

    Parameters
    ----------
    network
        Describes the recurrent layers.
    method
        Horizon, season, and whether there is a linear part.
    targets, context
        Variables; steps of a window, a season among them.
    """

    def __init__(self, network: Network, method: Prediction, *, targets: int, context: int) -> None:
        super().__init__()
        self.recent = context - method.season  # steps that are read
        self.recurrent = build_network(network, (4 if method.season else 2) * targets)
        self.dense = nn.Linear(self.recurrent.output_size, method.horizon * targets)
        self.horizon, self.targets, self.season = method.horizon, targets, method.season
        self.linear: nn.Linear | None = None
        if method.linear:
            read = self.recent + (method.horizon + 1 if method.season else 0)
            self.linear = nn.Linear(read * targets, method.horizon * targets).requires_grad_(False)
            nn.init.zeros_(self.dense.weight)  # the training begins where the linear part ends
            nn.init.zeros_(self.dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Predict from windows: [batch, time, 2 · target] (values, masks) to [batch, horizon, target]."""
        read = x[:, self.season :]
        if self.season:  # beside each step what came a season before the one after it
            read = torch.cat([read, x[:, 1 : self.recent + 1]], dim=-1)
        made: Tensor = self.dense(_summary(self.recurrent(read)[0], bidirectional=self.recurrent.bidirectional))
        if self.linear is not None:
            made = made + self.linear(self.plain(x))
        return made.view(-1, self.horizon, self.targets)

    def plain(self, x: Tensor) -> Tensor:
        """Give what the linear part reads, [batch, number]: the latest values, and those a season before its steps."""
        values = x[..., : self.targets]
        parts = [values[:, self.season :]]
        if self.season:
            parts.append(values[:, self.recent - 1 : self.recent + self.horizon])
        return torch.cat(parts, dim=1).flatten(1)

    def newest(self, x: Tensor) -> Tensor:
        """Give all predictions: each is about a step that has not come."""
        made: Tensor = self(x)
        return made


class Detection(nn.Module):
    """Scaling and networks. Batches come in the units of the data; what they should have been goes out scaled.

    Parameters
    ----------
    design
        What it is built from.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        check_scaling(design.scaling, design.method)
        self.design = design
        self.series_scaling = SeriesScaling(design.scaling, series=design.series, targets=design.targets)
        inner = dataclasses.replace(design.scaling, transform="identity", power=None)
        self.window_scaling = WindowScaling(inner)
        self.members = nn.ModuleList(_network(design) for _ in range(design.members))

    def forward(self, batch: Batch[Tensor]) -> Tensor:
        """Give the steps that the design says, [batch, step, target], in units of the series: the members' mean."""
        values, observed = self.units(batch)
        scaled, scale = self._inside(values, observed)
        made = torch.stack([member(_features(scaled, observed, self._dtype)) for member in self.members]).mean(0)
        return scale.decode(self._measured(made, scaled, observed))

    def newest(self, values: Tensor, observed: Tensor) -> Tensor:
        """Give what a stream needs of windows, in units of their series: [batch, time, target], 0 where missing.

        Returns
        -------
        Tensor
            ``[batch, 1, target]`` for the last step of an autoencoder's window, ``[batch, horizon, target]`` for the
            steps after it by prediction; in the same units.
        """
        scaled, scale = self._inside(values, observed)
        features = _features(scaled, observed, self._dtype)
        parts = [member.newest(features) for member in self.networks]
        made = parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)
        return scale.decode(self._measured(made, scaled, observed))

    def units(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor]:
        """Give the windows in units of their series, [batch, time, target] with 0 where missing, and their mask."""
        assert batch.observed is not None
        assert batch.series is not None
        return self.series_scaling(batch.values, batch.observed, batch.series), batch.observed

    def compare(self, batch: Batch[Tensor]) -> tuple[list[Tensor], Tensor, Tensor]:
        """Give what each member makes, what it should be, and the mask of that, scaled by the window."""
        values, observed = self.units(batch)
        scaled, scale = self._inside(values, observed)
        features = _features(scaled, observed, self._dtype)
        made = [self._measured(member(features), scaled, observed) for member in self.members]
        if isinstance(self.design.method, Autoencoder):
            return made, scaled, observed
        if batch.target is None or batch.target_observed is None or batch.series is None:
            raise DataError("a detector by prediction is trained on windows with targets and masks")
        target = self.series_scaling(batch.target, batch.target_observed, batch.series)
        return made, scale.encode(target, batch.target_observed), batch.target_observed

    def regression(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Give what the linear part reads, [batch, number]; what it should make, [batch, step, target]; its mask."""
        (member, *_), (_, truth, mask) = self.networks, self.compare(batch)
        assert isinstance(member, Forecasting)
        values, observed = self.units(batch)
        scaled, _ = self._inside(values, observed)
        origin = self.window_scaling.origin(scaled, observed, self.design.steps)
        return member.plain(_features(scaled, observed, self._dtype)), truth - origin, mask

    @property
    def networks(self) -> list[Reconstruction | Forecasting]:
        """The members, typed."""
        return [member for member in self.members if isinstance(member, Reconstruction | Forecasting)]

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.members.parameters()).dtype

    def _inside(self, values: Tensor, observed: Tensor) -> tuple[Tensor, WindowScale]:
        measured: WindowScale = self.window_scaling(values, observed)
        scale = dataclasses.replace(measured, scale=measured.scale.clamp_min(CALMEST))
        return scale.encode(values, observed), scale

    def _measured(self, made: Tensor, scaled: Tensor, observed: Tensor) -> Tensor:
        """Add what outputs are measured from; an autoencoder has the window from its bottleneck alone."""
        if isinstance(self.design.method, Autoencoder):
            return made
        return made + self.window_scaling.origin(scaled, observed, self.design.steps).to(made.dtype)


class DetectionObjective:
    """The mean of the members' losses on a batch of windows; missing values do not count."""

    def __call__(self, module: nn.Module, batch: Batch[Tensor]) -> Outcome:
        """Compare what was made with what was there, in the scaled units of each window."""
        if not isinstance(module, Detection):
            raise TypeError(f"expected a Detection, got {type(module).__name__}")
        made, truth, observed = module.compare(batch)
        loss = resolve_loss(module.design.method.loss)
        parts = [reduce_loss(loss, each, truth.to(each.dtype), observed) for each in made]
        return Outcome(torch.stack([part for part, _ in parts]).mean(), parts[0][1])


def check_scaling(scaling: Scaling, method: Method) -> None:
    """Refuse a scaling that a detector cannot have. Raises `SpecError`."""
    if scaling.transform == "boxcox" and scaling.power is None:
        raise SpecError("transform='boxcox' needs its power here; give Scaling(power=…), or use 'log' or 'log1p'")
    if scaling.centre == "season" or scaling.output in ("auto", "season", "level_season"):
        what = f"centre={scaling.centre!r}" if scaling.centre == "season" else f"output={scaling.output!r}"
        raise SpecError(f"a detector knows no seasons, which {what} goes by; use another centre or output")
    if isinstance(method, Autoencoder) and scaling.output == "trend":
        raise SpecError("output='trend' is for predictions; an autoencoder builds the window itself: leave output out")


def _network(design: Design) -> Reconstruction | Forecasting:
    if isinstance(design.method, Autoencoder):
        return Reconstruction(design.network, targets=design.targets, bottleneck=design.method.bottleneck)
    return Forecasting(design.network, design.method, targets=design.targets, context=design.context)


def _features(scaled: Tensor, observed: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.cat([scaled.clamp(-FURTHEST, FURTHEST), observed.to(scaled.dtype)], dim=-1).to(dtype)


def _summary(output: Tensor, *, bidirectional: bool) -> Tensor:
    """Give the output of each direction after its last step, [batch, size]."""
    if not bidirectional:
        return output[:, -1]
    half = output.shape[-1] // 2
    return torch.cat([output[:, -1, :half], output[:, 0, half:]], dim=-1)
