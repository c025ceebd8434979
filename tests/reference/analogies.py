"""3CosAdd and 3CosMul in NumPy float64, one question at a time.

Levy and Goldberg, "Linguistic Regularities in Sparse and Explicit Word
Representations", CoNLL 2014, equations 3 and 4.
"""

import numpy as np

from tests.reference.topk import best, candidates, unit


def scores(matrix, positive, negative, method):
    """Return the score of every row as the answer to one question, given as rows."""
    rows = unit(np.float64(matrix))
    if method == "add":
        asked = rows[positive].sum(axis=0, keepdims=True) - rows[negative].sum(axis=0)
        return rows @ unit(asked)[0]
    similarity = (rows @ rows.T + 1) / 2
    return similarity[:, positive].prod(axis=1) / (similarity[:, negative] + 0.001).prod(axis=1)


def answers(matrix, positive, negative, k, method, restrict=None):
    """Return the best rows of one question, best first, without its own words."""
    found = scores(matrix, positive, negative, method)[:restrict]
    return best(found, k, candidates(len(found), [*positive, *negative])).tolist()
