import pytest

from tidegate.errors import SpecError
from tidegate.specs import Autoencoder, Likelihood, Prediction
from tidegate.specs.base import from_tagged, to_dict
from tidegate.specs.detection import METHODS, resolve_method


def test_methods_by_name() -> None:
    assert resolve_method("autoencoder") == Autoencoder()
    assert resolve_method("prediction") == Prediction()
    assert resolve_method(Prediction(horizon=2)) == Prediction(horizon=2)
    for method in (Autoencoder(bottleneck=3), Prediction(horizon=2, loss="mse")):
        assert from_tagged(to_dict(method), METHODS.values()) == method


@pytest.mark.parametrize("method", ["forest", None, 3])
def test_other_methods(method: object) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_method(method)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"method must be one of 'autoencoder', 'prediction', an Autoencoder(…) or a Prediction(…); got {method!r}"
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Autoencoder(bottleneck=0), "bottleneck must be a whole number of at least 1; got 0"),
        (lambda: Autoencoder(loss="crps"), "loss must be one of 'mae', 'mse', 'huber'; got 'crps'"),
        (lambda: Prediction(horizon=0), "horizon must be a whole number of at least 1; got 0"),
        (lambda: Prediction(loss=None), "loss must be one of 'mae', 'mse', 'huber'; got None"),  # type: ignore[arg-type]
        (lambda: Likelihood(long=1), "long must be a whole number of at least 2; got 1"),
        (lambda: Likelihood(short=0), "short must be a whole number of at least 1; got 0"),
        (lambda: Likelihood(long=5, short=5), "short must be less than long; got short=5, long=5"),
        (lambda: Likelihood(log="no"), "log must be one of True, False; got 'no'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be(build: object, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value) == message
