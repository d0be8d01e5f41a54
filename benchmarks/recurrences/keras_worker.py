"""A process of its own that makes training steps with Keras: a backend can be chosen only once a process.

`keras_steps.py` starts it with KERAS_BACKEND set. It reads lines of JSON, ``{"prepare": shape}`` or ``{"variant": name,
"repeat": n}``, and answers each with one: the names of the variants, or the seconds that n steps took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Step = Callable[[], object]  # makes one step and waits for nothing
Wait = Callable[[], object]  # waits until all steps are made


def build(shape: Mapping[str, Any]) -> tuple[Any, Any]:
    """Build the model of a shape, and an input for it: the last layer gives its final output."""
    import keras
    import numpy as np

    layers = keras.layers
    words = bool(shape["vocabulary"])
    rng = np.random.default_rng(0)
    sizes = (shape["batch"], shape["steps"])
    if words:
        values = rng.integers(shape["vocabulary"], size=sizes).astype("int32")
    else:
        values = rng.standard_normal((*sizes, shape["features"])).astype("float32")
    x = inputs = keras.Input(values.shape[1:], batch_size=shape["batch"], dtype=str(values.dtype))
    if words:
        x = layers.Embedding(shape["vocabulary"], shape["features"])(x)
    for place, units in enumerate(shape["units"]):
        layer = layers.LSTM(units, return_sequences=place + 1 < len(shape["units"]))
        x = layers.Bidirectional(layer)(x) if shape["bidirectional"] else layer(x)
    return keras.Model(inputs, x), values


def on_tensorflow(shape: Mapping[str, Any]) -> dict[str, tuple[Step, Wait]]:
    """Give the step as a graph, which is what Keras itself makes of it on a CPU, and compiled by XLA."""
    return {
        "graph": _tensorflow_step(shape, jit=False),
        "XLA": _tensorflow_step(shape, jit=True),
        "train_on_batch": _train_on_batch(shape),
    }


def _train_on_batch(shape: Mapping[str, Any]) -> tuple[Step, Wait]:
    """Give Keras' own step, which computes the running mean of the loss as well and hands it to Python."""
    import keras
    import numpy as np

    model, values = build(shape)
    model.compile(keras.optimizers.Adam(1e-6), loss=lambda _, output: keras.ops.sum(output, axis=-1))
    target = np.zeros((shape["batch"], model.output_shape[-1]), "float32")
    return lambda: model.train_on_batch(values, target), lambda: None


def _tensorflow_step(shape: Mapping[str, Any], *, jit: bool) -> tuple[Step, Wait]:
    import keras
    import tensorflow as tf

    model, values = build(shape)
    x, variables = tf.constant(values), model.trainable_variables
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(variables)
    last: list[Any] = []

    @tf.function(jit_compile=jit)  # type: ignore[untyped-decorator, unused-ignore]
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def run() -> None:
        last[:] = [step()]

    def wait() -> None:
        last[0].numpy()  # each step reads what the one before it wrote

    return run, wait


def on_jax(shape: Mapping[str, Any]) -> dict[str, tuple[Step, Wait]]:
    """Give the stateless step, jitted; its buffers are given away and used again."""
    import jax
    import keras

    model, values = build(shape)
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(model.trainable_variables)

    def loss(trainable: Any, fixed: Any, x: Any) -> tuple[Any, Any]:
        output, fixed = model.stateless_call(trainable, fixed, x, training=True)
        return output.sum(), fixed

    def step(trainable: Any, fixed: Any, optimizer_state: Any, x: Any) -> tuple[Any, Any, Any]:
        (_, fixed), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, fixed, x)
        trainable, optimizer_state = optimizer.stateless_apply(optimizer_state, gradients, trainable)
        return trainable, fixed, optimizer_state

    compiled, x = jax.jit(step, donate_argnums=(0, 1, 2)), jax.numpy.asarray(values)
    # Copies: what is given away must not belong to the model.
    state = [
        [jax.numpy.array(variable.value) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    ]

    def run() -> None:
        state[:] = compiled(*state, x)

    return {"jit": (run, lambda: jax.block_until_ready(state)), "train_on_batch": _train_on_batch(shape)}


def repeat(step: Step, wait: Wait, times: int) -> float:
    """Give the seconds of so many steps."""
    start = time.perf_counter()
    for _ in range(times):
        step()
    wait()
    return time.perf_counter() - start


def main() -> None:
    """Answer until the input ends."""
    threads = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not get between the answers
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])  # XLA takes as many threads as it sees cores
    backend = os.environ["KERAS_BACKEND"]
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
    prepare = on_tensorflow if backend == "tensorflow" else on_jax
    variants: dict[str, tuple[Step, Wait]] = {}
    answer: object
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            variants = prepare(request["prepare"])
            answer = list(variants)
        else:
            answer = repeat(*variants[request["variant"]], request["repeat"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
