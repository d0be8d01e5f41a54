"""The accuracy of `Tagger` on CoNLL-2000 and WNUT-17, and its speed beside torch's LSTM and packed sequences.

    .venv/bin/python benchmarks/tagging.py conll2000 [--validate] [--seed 0] [--members 3] [--threads 2]
    .venv/bin/python benchmarks/tagging.py wnut17 [--validate] [--seed 0] [--members 3] [--threads 2]
    .venv/bin/python benchmarks/tagging.py speed [--threads 2] [--runs 5]

The first two print a row of a Markdown table: precision, recall and F1 by conlleval's rules beside the most frequent
tags. With ``--validate`` no test part is read: of CoNLL-2000, which has no other, 900 training sentences are kept apart
and scored, of WNUT-17 its dev part. Recipes were chosen so, and the test parts are scored once. Then CoNLL-2000 is
trained on all training sentences; WNUT-17 decides by its dev part. No embeddings are used that these data did not give.
The data are read from $TIDEGATE_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from taggings.peer import Peer
from tidegate import Recurrent, Tagger, TagSchemes, Training, WordFeatures
from tidegate.data.bucketing import in_length_order
from tidegate.data.conll import ConllSentences, read_conll
from tidegate.kernels.bench import Pace, interleaved, repeating
from tidegate.text.tagging.answers import written
from tidegate.text.tagging.examples import TaggedExamples, encoded
from tidegate.training.feed import to_batch

ROOT = Path(__file__).resolve().parents[1]
HELD_OUT = 900  # sentences of CoNLL-2000, for choosing
HEADER = (
    "| data | members | precision | recall | F1 | baselines' F1 | epochs | minutes |\n|---|---|---|---|---|---|---|---|"
)


def conll_recipe(seed: int, members: int) -> Tagger:
    """Give the recipe of CoNLL-2000; its columns are words, parts of speech and chunks."""
    return Tagger(
        features=WordFeatures(context=2**17),
        network=Recurrent(hidden_size=128, bidirectional=True),
        training=Training(epochs=6, batch_size=16, learning_rate=3e-3, schedule="cosine", patience=None, validation=0),
        members=members,
        seed=seed,
        device="cpu",
    )


def wnut_recipe(seed: int, members: int) -> Tagger:
    """Give the recipe of WNUT-17, where spans are rare; its published dev part breaks its scheme in one place."""
    return Tagger(
        schemes=TagSchemes(repair=True),
        decide="f1",
        training=Training(epochs=12, batch_size=16, learning_rate=3e-3, schedule="cosine", patience=None),
        members=members,
        seed=seed,
        device="cpu",
    )


def part(name: str) -> ConllSentences:
    """Read a file of the data."""
    folder = Path(os.environ.get("TIDEGATE_DATA", ROOT.parent / "shared" / "data"))
    return read_conll(folder / "text" / name)


def conll_parts(validate: bool) -> tuple[ConllSentences, ConllSentences]:
    """Give what to train on and what to score on."""
    train = part("conll2000_train.txt.gz")
    if not validate:
        return train, part("conll2000_test.txt.gz")
    order = np.random.default_rng(0).permutation(len(train))
    return train.take(sorted(order[HELD_OUT:].tolist())), train.take(sorted(order[:HELD_OUT].tolist()))


def accuracy(name: str, *, validate: bool, seed: int, members: int, steps: int | None = None) -> str:
    """Train, score, and give the row; fewer ``steps`` are for seeing that it works."""
    began = time.perf_counter()
    held: ConllSentences | None = None
    if name == "conll2000":
        tagger = conll_recipe(seed, members)
        train, test = conll_parts(validate)
    else:
        tagger = wnut_recipe(seed, members)
        train, held = part("wnut17_train.conll.gz"), part("wnut17_dev.conll.gz")
        test = held if validate else part("wnut17_test.conll.gz")
    if steps is not None:
        tagger.set_params(training__max_steps=steps, training__epochs=None)
    tagger.fit(train, validation=held)
    evaluation = tagger.evaluate(test)
    own, *others = evaluation.scores.values()
    minutes = (time.perf_counter() - began) / 60
    of = "held out" if validate else "test"
    return (
        f"| {name}, {of} | {members} | {100 * own.precision:.2f} | {100 * own.recall:.2f} | {100 * own.f1:.2f} | "
        f"{', '.join(f'{100 * each.f1:.2f}' for each in others)} | {tagger.history_.epochs} | {minutes:.1f} |"
    )


def speed(runs: int, *, sentences: ConllSentences, tagger: Tagger) -> str:
    """Tag by turns with the tagger and with its peer, which has its weights; both begin with lists of tokens.

    The peer takes sentences as they come, as packed sequences allow, and reads the words of a batch once. Below that
    stand peers that do as the tagger does: batches in order of length, words read once in the whole call.
    """
    answers = tagger._answers
    peer = Peer(answers.members[0]).eval()
    tokens = ConllSentences(tokens=sentences.tokens, columns=sentences.columns)

    def by_peer(batch_size: int, *, in_order: bool = False, once: bool = False) -> list[list[str]]:
        table, (values,) = encoded([tokens], answers.vocabulary, answers.features)
        examples = TaggedExamples(values)
        paths: list[list[int]] = [[]] * len(tokens)
        with torch.inference_mode():
            vectors = peer.encode(table) if once else None
            everything = np.arange(len(tokens))
            given = [everything[start : start + batch_size] for start in range(0, len(tokens), batch_size)]
            for indices in in_length_order(examples.lengths, batch_size) if in_order else given:
                batch = to_batch(examples.batch(indices), torch.device("cpu"))
                assert batch.lengths is not None
                if vectors is None:
                    rows, places = torch.unique(batch.values[..., 0], return_inverse=True)
                    batch.values[..., 0] = places
                    found = peer(peer.encode(table.take(rows)), batch.values, batch.lengths)
                else:
                    found = peer(vectors, batch.values, batch.lengths)
                lengths = batch.lengths.tolist()
                for index, row, length in zip(indices.tolist(), found.tolist(), lengths, strict=True):
                    paths[index] = row[:length]
        return written(paths, answers.labels, answers.scheme, "iob2")

    contenders: dict[str, Callable[[], list[list[str]]]] = {
        "tidegate": lambda: tagger.predict(tokens),
        "peer, batches of 32": lambda: by_peer(32),
        "peer, batches of 128": lambda: by_peer(128),
        "peer, batches of 128 in order of length": lambda: by_peer(128, in_order=True),
        "the same, each word read once": lambda: by_peer(128, in_order=True, once=True),
    }
    expected = contenders["tidegate"]()
    for name, contender in contenders.items():
        same = np.mean([one == two for one, two in zip(contender(), expected, strict=True)])
        assert same > 0.999, f"{name} tags {same:.2%} of the sentences alike"  # sums differ in their last bits
    timing = interleaved({name: repeating(call) for name, call in contenders.items()}, Pace(runs=runs))
    count = sum(map(len, tokens.tokens))
    lines = ["| contender | tokens a second | times tidegate's time |", "|---|---|---|"]
    for name in contenders:
        ratio = timing.ratio(name, "tidegate")
        lines.append(
            f"| {name} | {count / timing.median(name):,.0f} | "
            f"{ratio.median:.2f} ({ratio.lowest:.2f} – {ratio.highest:.2f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("conll2000", "wnut17", "speed"))
    parser.add_argument("--validate", action="store_true", help="score on held-out training or dev sentences")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=None, help="train for so many steps only")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.what == "speed":
        # Speed does not depend on what was learned: a moment's training on part of the data.
        train, test = conll_parts(validate=True)
        tagger = Tagger(training=Training(max_steps=given.steps or 300, validation=0), device="cpu").fit(train)
        print(speed(given.runs, sentences=test, tagger=tagger))
        return
    print(HEADER)
    print(
        accuracy(given.what, validate=given.validate, seed=given.seed, members=given.members, steps=given.steps),
        flush=True,
    )


if __name__ == "__main__":
    main()
