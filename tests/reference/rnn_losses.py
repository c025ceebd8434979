"""The losses of one event in float64, each with its slopes in the scores.

``target`` is the score of the item that came next, ``others`` (K,) those of the items it is
compared with, ``kept`` (K,) says which of them count: one that is the target itself does not.
Where none is left there is nothing to learn: the loss is 0.

Sampled softmax with logQ correction: Bengio and Senecal, "Adaptive Importance Sampling to
Accelerate Training of a Neural Probabilistic Language Model" (2008). BPR-max and TOP1-max:
Hidasi and Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
Recommendations" (2018), section 3.3; the slopes run through the weights too, as there.
"""

import numpy as np

from tests.reference.rnn_cells import sigmoid

LOSSES = ("sampled_softmax", "softmax", "bpr_max", "top1_max")


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def cross_entropy(target, others, kept):
    """-log of the target's share; ``others`` and ``target`` have their logQ taken off already."""
    d_others = np.zeros(len(others))
    shares = softmax(np.concatenate(([target], others[kept])))
    d_others[kept] = shares[1:]
    return -np.log(shares[0]), shares[0] - 1, d_others


def through_weights(terms, shares):
    """Slopes of sum_j shares_j * terms_j in the scores that the shares are the softmax of."""
    return shares * (terms - shares @ terms)


def bpr_max(target, others, kept, regularization=0.0):
    """-log sum_j w_j sigmoid(target - s_j) + regularization * sum_j w_j s_j^2, w = softmax(s)."""
    d_others = np.zeros(len(others))
    if not kept.any():
        return 0.0, 0.0, d_others
    s = others[kept]
    w, p = softmax(s), sigmoid(target - s)
    gain = w @ p
    loss = -np.log(gain) + regularization * (w @ s**2)
    d_target = -(w @ (p * (1 - p))) / gain
    d_others[kept] = (w * p * (1 - p) - through_weights(p, w)) / gain
    d_others[kept] += regularization * (2 * w * s + through_weights(s**2, w))
    return loss, d_target, d_others


def top1_max(target, others, kept):
    """sum_j w_j (sigmoid(s_j - target) + sigmoid(s_j^2)), w = softmax(s)."""
    d_others = np.zeros(len(others))
    if not kept.any():
        return 0.0, 0.0, d_others
    s = others[kept]
    w, p, q = softmax(s), sigmoid(s - target), sigmoid(s**2)
    d_others[kept] = w * (p * (1 - p) + 2 * s * q * (1 - q)) + through_weights(p + q, w)
    return w @ (p + q), -(w @ (p * (1 - p))), d_others


def elu(score, alpha):
    """The score, and its slope, where scores below 0 flatten out at -alpha; alpha 0: as it is."""
    if alpha == 0:
        return score, np.ones_like(score)
    low = np.minimum(score, 0)
    return np.where(score > 0, score, alpha * np.expm1(low)), np.where(
        score > 0, 1.0, alpha * np.exp(low)
    )


def event_loss(name, target, others, kept, *, log_q=None, regularization=0.0, alpha=0.0):
    """Loss of one event, its slope in the target's score and those in the others' (K,).

    ``log_q`` is None or (that of the target, those of the others): log(K * q) of each.
    """
    if name in ("sampled_softmax", "softmax"):
        if log_q is not None:
            target, others = target - log_q[0], others - log_q[1]
        return cross_entropy(target, others, kept)
    target, slope = elu(target, alpha)
    others, slopes = elu(others, alpha)
    if name == "bpr_max":
        loss, d_target, d_others = bpr_max(target, others, kept, regularization)
    else:
        loss, d_target, d_others = top1_max(target, others, kept)
    return loss, d_target * slope, d_others * slopes
