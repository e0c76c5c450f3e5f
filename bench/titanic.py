"""Cross-validation of the Titanic table: gradus against scikit-learn on the very same folds.

Usage: python bench/titanic.py TITANIC.csv [--gradus target/release/gradus] [--seeds 1 2 3 4 5] [--hidden 64]

The table is `titanic_all.csv` of the PyPI package bokeh-sampledata (1313 passengers: name, class, age, sex, survived;
ages are missing, names are all but unique). gradus runs from the bare CSV, with its defaults:

    gradus crossval --data titanic_all.csv --label survived

scikit-learn gets the folds that gradus made (from its predictions.csv) and the same columns, through a pipeline of
imputer, one-hot encoding, scaler and MLPClassifier of the same hidden shape, once with scikit-learn's other defaults
and once with its early stopping, which holds a tenth out as gradus does.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

LABEL = "survived"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--gradus", default="target/release/gradus")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--hidden", type=int, default=64, help="the hidden units of gradus's template")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    return parser.parse_args()


def gradus(options, seed):
    """The mean accuracy of gradus, and the fold that tested each row."""
    with tempfile.TemporaryDirectory() as folder:
        command = [options.gradus, "crossval", "--data", options.table, "--label", LABEL, "--json"]
        command += ["--seed", str(seed), "--set", f"train.seed={seed}", "--out", f"{folder}/cv"]
        for override in options.overrides:
            command += ["--set", override]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result = json.loads(output)
        predictions = pd.read_csv(result["predictions"])
    accuracy = next(metric for metric in result["metrics"] if metric["name"] == "accuracy")
    fold_of = predictions.sort_values("row")["fold"].to_numpy()
    return accuracy["mean"], fold_of


def pipeline(inputs, hidden, seed, early_stopping):
    numbers = inputs.select_dtypes("number").columns
    text = inputs.columns.difference(numbers)
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("text", OneHotEncoder(handle_unknown="ignore"), text),
        ]
    )
    network = MLPClassifier((hidden,), random_state=seed, early_stopping=early_stopping, max_iter=200)
    return make_pipeline(prepare, network)


def scikit_learn(table, fold_of, hidden, seed, early_stopping):
    inputs, truth = table.drop(columns=[LABEL, "name"]), table[LABEL]
    scores = []
    for fold in np.unique(fold_of):
        train, test = fold_of != fold, fold_of == fold
        model = pipeline(inputs, hidden, seed, early_stopping).fit(inputs[train], truth[train])
        scores.append(model.score(inputs[test], truth[test]))
    return np.mean(scores)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    options = arguments()
    table = pd.read_csv(options.table)
    rows = []
    for seed in options.seeds:
        ours, fold_of = gradus(options, seed)
        plain, stopping = (scikit_learn(table, fold_of, options.hidden, seed, early) for early in [False, True])
        rows.append([ours, plain, stopping])
        print(f"seed {seed}: gradus {ours:.4f}  scikit-learn {plain:.4f}  with early stopping {stopping:.4f}", flush=True)
    mean = np.mean(rows, axis=0)
    print(f"mean:   gradus {mean[0]:.4f}  scikit-learn {mean[1]:.4f}  with early stopping {mean[2]:.4f}")
    print(f"gradus − scikit-learn: {100 * (mean[0] - mean[1]):+.2f} and {100 * (mean[0] - mean[2]):+.2f} points")


if __name__ == "__main__":
    main()
