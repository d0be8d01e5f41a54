"""Read sequences from both ends, answer with a number: the adding problem of Hochreiter & Schmidhuber (1997)."""

import numpy as np
import torch

import tidegate as tg

EXAMPLES, TEST, TIME = 3500, 500, 20


def adding_problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw X [example, time, 2], numbers beside marks, and y [example, 1]: the sum of the two marked numbers."""
    random = np.random.default_rng(seed)
    numbers = random.random((EXAMPLES, TIME))
    marks = np.zeros((EXAMPLES, TIME))
    places = random.random((EXAMPLES, TIME)).argsort(axis=1)[:, :2]  # two different steps of each sequence
    np.put_along_axis(marks, places, 1, axis=1)
    return np.stack([numbers, marks], axis=-1), (numbers * marks).sum(axis=1, keepdims=True)


def main(seed: int = 0) -> dict[str, float]:
    X, y = adding_problem(seed)
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        tg.nn.LSTM(2, 24, batch_first=True, bidirectional=True, return_sequences=False, return_state=False),
        torch.nn.Linear(2 * 24, 1),  # forwards and backwards side by side
    )
    tg.train(
        net,
        (X[:-TEST], y[:-TEST]),
        epochs=20,
        batch_size=64,
        training=tg.Training(learning_rate=0.01, schedule="one_cycle"),
        seed=seed,
    )
    with torch.no_grad():
        answer = net(torch.tensor(X[-TEST:], dtype=torch.float32)).numpy()
    actual = y[-TEST:]
    return {
        "network": float(tg.metrics.mse(actual, answer)),
        "mean": float(tg.metrics.mse(actual, y[:-TEST].mean())),  # always the same guess
    }


if __name__ == "__main__":
    figures = main()
    for name, mse in figures.items():
        print(f"MSE {name:>7}  {mse:.5f}")
