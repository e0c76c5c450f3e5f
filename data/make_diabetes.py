#!/usr/bin/env python3
"""Write data/diabetes/train.csv and test.csv from the copy that scikit-learn ships, unscaled.

Every fifth row, drawn with a seed, goes to the test file.
"""

import pathlib

import numpy as np
from sklearn.datasets import load_diabetes

TARGET = pathlib.Path(__file__).resolve().parent / "diabetes"
SEED = 20261125


def main():
    frame = load_diabetes(scaled=False, as_frame=True).frame
    order = np.random.default_rng(SEED).permutation(len(frame))
    test = np.sort(order[: len(frame) // 5])
    train = np.sort(order[len(frame) // 5 :])
    for name, rows in [("train", train), ("test", test)]:
        path = TARGET / f"{name}.csv"
        frame.iloc[rows].to_csv(path, index=False)
        print(f"{path.name}: {len(rows)} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
