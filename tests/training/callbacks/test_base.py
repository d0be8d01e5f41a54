from __future__ import annotations

from tidegate.training import Callback
from tidegate.training.state import TrainingState


def test_only_what_is_overridden_is_called() -> None:
    class Own(Callback):
        def on_batch_end(self, state: TrainingState) -> None:
            pass

    class Heir(Own):
        pass

    assert [Own().listens(event) for event in ("on_batch_end", "on_epoch_end")] == [True, False]
    assert Heir().listens("on_batch_end")


def test_a_hook_set_on_the_instance_is_called() -> None:
    own = Callback()
    own.on_epoch_end = lambda state: None  # type: ignore[method-assign]
    assert own.listens("on_epoch_end")


def test_nothing_is_kept_unless_said() -> None:
    assert Callback().state_dict() == {}
    Callback().load_state_dict({})
