"""imdb: paragraph vectors of film reviews, judged by how well they tell praise from blame.

All 100,000 reviews train, the half that has no label too. Words are runs of letters and digits,
lower-case, and the marks . " , ( ) ! ? ; : are words as well, as in the paper's code and its
reproductions; line breaks of the web page are dropped.

``error`` is the share of the 25,000 test reviews that a logistic regression gets wrong, fitted on
the vectors of the 25,000 labelled training reviews, each dimension standardised by these. The
hold-out is five-fold cross-validation on the labelled training reviews, whose folds are drawn once
for all; no label of the test part is seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.harness import data_folder
from benchmarks.texts import Text, write_lines

WORD = re.compile(r"\w+(?:'\w+)*|[.\",()!?;:]")
BREAK = "<br />"
PENALTY = 1e-4  # on half the squared weights, beside the mean log loss
FOLDS = 5


@dataclass(frozen=True)
class Reviews:
    """What trains, and the labels.

    Attributes
    ----------
    text : Text
    label : ndarray of int8, shape (reviews,)
        1 praise, 0 blame, -1 unknown.
    is_train : ndarray of bool, shape (reviews,)
    by_folds : bool
        Whether the labelled training reviews are judged by cross-validation, not the test part.
    """

    text: Text
    label: np.ndarray
    is_train: np.ndarray
    by_folds: bool = False


def load() -> Reviews:
    """Return all reviews and their labels."""
    import pyarrow.parquet as pq

    table = pq.read_table(
        data_folder("imdb") / "reviews.parquet", columns=["split", "label", "text"]
    )
    text = write_lines(" ".join(words(review.as_py())) for review in table["text"])
    label = table["label"].to_numpy()
    is_train = np.array(table["split"].to_pylist()) == "train"
    return Reviews(text, label, is_train)


def hold_out(reviews: Reviews) -> Reviews:
    """Judge by cross-validation on the labelled training reviews instead."""
    return replace(reviews, by_folds=True)


def words(review: str) -> list[str]:
    """Return the words and the marks of a review."""
    return WORD.findall(review.replace(BREAK, " ").lower())


def error(matrices: Sequence[np.ndarray], reviews: Reviews) -> float:
    """Return the share of reviews that are judged wrong by their vectors.

    Parameters
    ----------
    matrices : sequence of float32, shape (reviews, dim)
        Several are taken side by side.
    reviews : Reviews
    """
    vectors = np.hstack(matrices)
    is_known = reviews.is_train & (reviews.label >= 0)
    train, label = vectors[is_known], reviews.label[is_known] == 1
    if not reviews.by_folds:
        is_asked = ~reviews.is_train & (reviews.label >= 0)
        is_wrong = _wrong(train, label, vectors[is_asked], reviews.label[is_asked] == 1)
        return float(is_wrong.mean())
    fold = np.random.default_rng(0).integers(FOLDS, size=len(train))
    wrong = sum(
        _wrong(train[fold != k], label[fold != k], train[fold == k], label[fold == k]).sum()
        for k in range(FOLDS)
    )
    return float(wrong / len(train))


def _wrong(
    train: np.ndarray, label: np.ndarray, asked: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    """Fit a logistic regression and say which of ``asked`` it gets wrong."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    inputs, questions = (
        np.column_stack([(part - mean) / deviation, np.ones(len(part))]).astype(np.float64)
        for part in (train, asked)
    )
    weights = _logistic_regression(inputs, label)
    is_wrong: np.ndarray = (questions @ weights > 0) != truth
    return is_wrong


def _logistic_regression(inputs: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the weights; the last column is the constant, which is not penalised."""
    from scipy.optimize import minimize

    signs = np.where(label, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (inputs @ weights)
        free = np.append(weights[:-1], 0.0)
        value = np.logaddexp(0, -margin).mean() + PENALTY / 2 * (free @ free)
        gradient = -(inputs.T @ (signs / (1 + np.exp(margin)))) / len(inputs) + PENALTY * free
        return value, gradient

    start = np.zeros(inputs.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    solution: np.ndarray = found.x
    return solution
