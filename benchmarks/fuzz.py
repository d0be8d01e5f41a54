"""Changed model files, HTTP requests and gRPC calls, and what becomes of them.

    .venv/bin/python benchmarks/fuzz.py [loader rest grpc] [--minutes 10] [--seed 0] [--failures DIR]

Samples of every kind of model are fitted in a moment; what is tried are samples with their bytes, their descriptions,
their tensors or their fields changed, drawn by hypothesis from the seed. A model file may be refused, or loaded and
asked; all else is a failure: another error than Tidegate's own, more than 5 s of the processor, more than 512 MiB, or
the end of the process. A server must answer each request with a status that is the client's fault, or with a result,
and must still answer a good one. Cases that failed are kept in DIR; the program then ends with 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzzing.loader import fuzz_loader
from fuzzing.served import fuzz_grpc, fuzz_rest

FUZZERS = {"loader": fuzz_loader, "rest": fuzz_rest, "grpc": fuzz_grpc}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fuzzers", nargs="*", default=[*FUZZERS], metavar="loader | rest | grpc")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    asked = parser.parse_args()
    failed = False
    for name in asked.fuzzers:
        if name not in FUZZERS:
            parser.error(f"{name!r} is none of {', '.join(FUZZERS)}")
        tally = FUZZERS[name](seconds=asked.minutes * 60, first=asked.seed, failures=asked.failures / name)
        print(tally.report(name), flush=True)
        failed = failed or bool(tally.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
