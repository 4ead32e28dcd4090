"""Makes Tests/Fixtures/evaluation/matching.safetensors: heaviest one-to-one matchings that SciPy finds.

    python Tools/make_matching_fixtures.py

For each case `<name>.weights` f32 [rows, columns] and `<name>.total` f32 [1], the sum of the weights of
scipy.optimize.linear_sum_assignment(weights, maximize=True) in fp64. Several matchings may have that sum, so the pairs are
left out.
"""

from pathlib import Path

import fixture_files
import numpy
from scipy.optimize import linear_sum_assignment

FILE = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "evaluation" / "matching.safetensors"
VERSION = 1


def cosines(random: numpy.random.Generator, rows: int, columns: int, width: int) -> numpy.ndarray:
    a, b = random.standard_normal((rows, width)), random.standard_normal((columns, width))
    a /= numpy.linalg.norm(a, axis=1, keepdims=True)
    b /= numpy.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


def main() -> None:
    random = numpy.random.default_rng(0)
    cases = {
        "single": random.standard_normal((1, 1)),
        "square": random.standard_normal((29, 29)),
        "wide": random.standard_normal((17, 41)),
        "tall": random.standard_normal((41, 17)),
        "row": random.standard_normal((1, 23)),
        "column": random.standard_normal((23, 1)),
        "ties": random.integers(0, 4, (31, 31)),
        "constant": numpy.ones((12, 15)),
        "negative": -numpy.abs(random.standard_normal((19, 21))) * 100,
        "cosines": cosines(random, 67, 67, 16),
        "unequal-cosines": cosines(random, 53, 71, 9),
        # What costs the search most: weights that are products (Machol & Wien 1976).
        "products": numpy.outer(numpy.arange(1, 41), numpy.arange(1, 41)) * -1.0,
    }
    tensors = {}
    for name, weights in cases.items():
        weights = weights.astype(numpy.float32)
        rows, columns = linear_sum_assignment(weights.astype(numpy.float64), maximize=True)
        tensors[f"{name}.weights"] = weights
        tensors[f"{name}.total"] = weights[rows, columns].sum(dtype=numpy.float64, keepdims=True).astype(numpy.float32)
    fixture_files.save(tensors, FILE, {"version": str(VERSION)})


if __name__ == "__main__":
    main()
