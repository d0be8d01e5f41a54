"""A first LSTM: learn a sine wave, then let the network continue it on its own forecasts."""

import torch

import tidegate as tg

POINTS, CONTEXT, STEPS = 1000, 20, 10


def continue_wave(net: torch.nn.Module, wave: torch.Tensor, steps: int) -> torch.Tensor:
    """Append `steps` values to `wave` [time], each forecast from the CONTEXT values before it."""
    with torch.no_grad():
        for _ in range(steps):
            window = wave[-CONTEXT:].reshape(1, CONTEXT, 1)  # [batch, time, feature]
            wave = torch.cat([wave, net(window)[0]])
    return wave


def main(seed: int = 0) -> dict[str, float]:
    wave = tg.datasets.sine_wave(points=POINTS + STEPS)["y"].to_numpy()
    past, future = wave[:POINTS], wave[POINTS:]  # the network never sees the future

    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        tg.nn.LSTM(1, 50, batch_first=True, return_sequences=False, return_state=False),
        torch.nn.Linear(50, 1),
    )
    # The rate falls to nothing at the end: that, more than anything, makes the last digits right.
    history = tg.train(
        net,
        tg.sliding_windows(past, CONTEXT),
        epochs=100,
        batch_size=16,
        validation_split=0.1,
        metrics=["rmse"],
        training=tg.Training(learning_rate=0.01, schedule="one_cycle"),
        seed=seed,
    )
    continued = continue_wave(net, torch.tensor(past, dtype=torch.float32), STEPS)[POINTS:]
    return {
        "validation": history["val_rmse"][-1],
        "rolled_out": float(tg.metrics.rmse(future, continued)),
        "naive": float(tg.metrics.rmse(future, past[-1])),
    }


if __name__ == "__main__":
    figures = main()
    for name, rmse in figures.items():
        print(f"RMSE {name:>10}  {rmse:.6f}")
