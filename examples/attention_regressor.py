"""An LSTM whose outputs are pooled by attention: the mean of the marked steps of sequences of any length."""

import numpy as np
import torch

import tidegate as tg

EXAMPLES, TEST, TIME = 2500, 500, 30


class Regressor(torch.nn.Module):
    """Encode, attend, answer with a number; and tell where it looked."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.encoder = tg.nn.LSTM(features, units, batch_first=True, return_state=False)
        self.pool = tg.nn.Attention(units, score="additive")
        self.head = torch.nn.Linear(units, 1)

    def forward(self, values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.attend(values, lengths)[0]

    def attend(self, values: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the answer [batch, 1] and the weights [batch, time] behind it."""
        pooled, weights = self.pool(self.encoder(values, lengths=lengths), lengths=lengths, return_weights=True)
        return self.head(pooled), weights


def marked_sequences(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw X [example, time, 2], numbers beside marks, y [example, 1], the mean of what is marked, and the lengths."""
    random = np.random.default_rng(seed)
    lengths = random.integers(10, TIME + 1, EXAMPLES)
    inside = np.arange(TIME) < lengths[:, None]
    marks = inside & (random.random((EXAMPLES, TIME)) < 0.15)
    marks[:, 0] |= ~marks.any(axis=1)
    numbers = np.where(inside, random.standard_normal((EXAMPLES, TIME)), 0)
    mean = np.average(numbers, axis=1, weights=marks)
    return np.stack([numbers, marks], axis=-1), mean[:, None], lengths


def main(seed: int = 0) -> dict[str, float]:
    X, y, lengths = marked_sequences(seed)
    torch.manual_seed(seed)
    net = Regressor(features=2, units=16)
    tg.train(
        net,
        tg.Arrays(X[:-TEST], y[:-TEST], lengths=lengths[:-TEST]),
        epochs=15,
        batch_size=32,
        training=tg.Training(learning_rate=0.01, schedule="one_cycle"),
        seed=seed,
    )
    with torch.no_grad():
        answer, weights = net.attend(torch.tensor(X[-TEST:], dtype=torch.float32), torch.tensor(lengths[-TEST:]))
    return {
        "network": float(tg.metrics.mse(y[-TEST:], answer)),
        "mean": float(tg.metrics.mse(y[-TEST:], y[:-TEST].mean())),  # always the same guess
        "attention on marks": float((weights.numpy() * X[-TEST:, :, 1]).sum(axis=1).mean()),
    }


if __name__ == "__main__":
    figures = main()
    print(f"MSE {figures['network']:.5f}; of always guessing the mean {figures['mean']:.5f}")
    print(f"{figures['attention on marks']:.0%} of the attention rests on the marked steps")
