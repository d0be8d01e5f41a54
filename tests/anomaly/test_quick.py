from typing import Any

import numpy as np
import pytest
import torch

import tidegate as tg
from tidegate.anomaly.network import Design, Detection
from tidegate.anomaly.quick import one_window


def window(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(6, 2))
    values[generator.random(values.shape) < 0.3 * (seed % 3)] = np.nan
    if seed == 4:
        values[:] = np.nan
    if seed == 5:
        values[:, 0], values[2, 1] = 3.0, 1e4  # one that does not vary, one value far away
    return values


@pytest.mark.parametrize("method", [tg.Autoencoder(bottleneck=2), tg.Prediction(horizon=2)])
@pytest.mark.parametrize("scaling", ["none", "centred", "standard", "robust", "minmax", "last"])
@pytest.mark.parametrize("output", ["centre", "last", "trend"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_window_is_made_as_the_module_makes_it(method: Any, scaling: str, output: str, bidirectional: bool) -> None:
    if output == "trend" and isinstance(method, tg.Autoencoder):
        pytest.skip("an autoencoder has no trend to go on with")
    described = (
        tg.Scaling(centre="last", output=output) if scaling == "last" else tg.Scaling(method=scaling, output=output)
    )
    torch.manual_seed(0)
    network = Detection(
        Design(
            method=method,
            network=tg.Recurrent(hidden_size=4, bidirectional=bidirectional),
            scaling=described,
            context=6,
            targets=2,
            series=1,
            members=2,
        )
    ).eval()
    ask = one_window(network)
    for seed in range(6):
        values = window(seed)
        observed = ~np.isnan(values)
        batch = tg.data.Batch(
            values=torch.from_numpy(np.where(observed, values, 0.0)[np.newaxis]),
            observed=torch.from_numpy(observed[np.newaxis]),
            series=torch.tensor([0]),
        )
        with torch.inference_mode():
            whole = network(batch)[0].numpy()
        expected = whole[-1:] if isinstance(method, tg.Autoencoder) else whole
        np.testing.assert_allclose(ask(values), expected, rtol=1e-5, atol=1e-5)
