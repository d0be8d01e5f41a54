"""Three features, one target: the next hour's load from load, temperature and holidays, with relu cells."""

import numpy as np
import torch

import tidegate as tg

CONTEXT, TEST = 24, 14 * 24  # hours


def main(seed: int = 0) -> dict[str, float]:
    frame = tg.datasets.hourly_load(days=90)
    values = frame[["y", "temperature", "holiday"]].to_numpy(dtype=np.float64)  # [time, feature]
    train = values[:-TEST]
    mean, std = train.mean(axis=0), train.std(axis=0)  # of the training hours alone
    X, following = tg.sliding_windows((values - mean) / std, CONTEXT)
    y = following[:, 0, :1]  # the load of the hour after each window

    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        tg.nn.LSTM(3, 16, batch_first=True, return_sequences=False, return_state=False, activation="relu"),
        torch.nn.Linear(16, 1),
    )
    tg.train(
        net,
        (X[:-TEST], y[:-TEST]),
        epochs=20,
        batch_size=64,
        loss="huber",
        training=tg.Training(learning_rate=0.01, schedule="one_cycle"),
        seed=seed,
    )
    with torch.no_grad():
        forecast = net(torch.tensor(X[-TEST:], dtype=torch.float32)).numpy()
    actual = y[-TEST:]
    return {
        name: float(tg.metrics.mae(actual, guess) * std[0])  # back to megawatts
        for name, guess in {"lstm": forecast, "naive": X[-TEST:, -1, :1], "seasonal_naive": X[-TEST:, -24, :1]}.items()
    }


if __name__ == "__main__":
    figures = main()
    print(f"megawatts, the last {TEST} hours:")
    for name, mae in figures.items():
        print(f"MAE {name:>14}  {mae:6.2f}")
