"""Huffman trees over a vocabulary: what hierarchical softmax walks down.

Morin and Bengio, "Hierarchical Probabilistic Neural Network Language Model"
(2005), with the binary Huffman tree of Mikolov et al., "Distributed
Representations of Words and Phrases" (2013), section 2.1: frequent items have
short paths, so that a pair costs about the entropy of the counts in products.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Paths from the root to the items.

    Item ``i`` passes the nodes ``nodes[paths[i]:paths[i + 1]]``, the root first, and
    leaves each by ``branches``, 1 or -1: its probability is the product of
    ``sigmoid(branch * x . y_node)``.

    Attributes
    ----------
    paths : int64 (items + 1,)
    nodes : int32 (paths[-1],)
        Rows of the output matrix; those near the root are the first of their block.
    branches : float32 (paths[-1],)
    size : int
        Nodes, at least 1: an output matrix has a row.
    """

    paths: np.ndarray
    nodes: np.ndarray
    branches: np.ndarray
    size: int

    @property
    def nbytes(self) -> int:
        """The size of the arrays in bytes."""
        return self.paths.nbytes + self.nodes.nbytes + self.branches.nbytes


def grown_tree(counts: np.ndarray, blocks: Sequence[int]) -> Tree:
    """Return the tree of items that came in several blocks.

    The first block is a Huffman tree. Each later one is a tree of its own under a new
    root whose other branch is the tree so far, so that the nodes of old items keep
    their rows and their meaning.

    Parameters
    ----------
    counts : int64 (items,)
        Of each item when it came; 0 counts as 1.
    blocks : sequence of int
        Items of each block, in order; their sum is ``items``.

    Returns
    -------
    Tree
        Cost O(n log n) in the items of a block.
    """
    ends = np.cumsum(blocks)
    tree = huffman_tree(counts[: ends[0]])
    for first, end in itertools.pairwise(ends):
        tree = _joined(tree, huffman_tree(counts[first:end]))
    return tree


def huffman_tree(counts: np.ndarray) -> Tree:
    """Return the Huffman tree of ``counts``, int64 (items,), at least one item.

    Of equal weights, later items and older nodes are joined first, so the tree is a
    function of the counts alone.
    """
    parents, is_right = _parents(np.maximum(counts, 1))
    items = len(counts)
    root = 2 * items - 2
    depths = np.zeros(items, dtype=np.int64)
    at = np.arange(items)
    while (climbing := at != root).any():
        depths[climbing] += 1
        at[climbing] = parents[at[climbing]]
    paths = np.concatenate(([0], np.cumsum(depths)))
    nodes = np.empty(paths[-1], dtype=np.int32)
    branches = np.empty(paths[-1], dtype=np.float32)
    at, place = np.arange(items), paths[1:].copy()
    while (climbing := np.flatnonzero(at != root)).size:
        place[climbing] -= 1
        child = at[climbing]
        at[climbing] = parents[child]
        nodes[place[climbing]] = root - at[climbing]
        branches[place[climbing]] = np.where(is_right[child], -1.0, 1.0)
    return Tree(paths, nodes, branches, max(items - 1, 1))


def _parents(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each node's parent and whether it is the right child; inner nodes follow the items.

    Two queues (van Leeuwen, "On the construction of Huffman trees", 1976): items in
    ascending order, and inner nodes, which come into being in ascending order.
    """
    items = len(counts)
    queue = np.argsort(counts, kind="stable").tolist()
    weights = counts.tolist() + [0] * (items - 1)
    parents = np.zeros(2 * items - 1, dtype=np.int64)
    is_right = np.zeros(2 * items - 1, dtype=bool)
    leaf, inner = 0, items
    for node in range(items, 2 * items - 1):
        pair = []
        for _ in range(2):
            takes_leaf = leaf < items and (inner == node or weights[queue[leaf]] <= weights[inner])
            pair.append(queue[leaf] if takes_leaf else inner)
            leaf, inner = leaf + takes_leaf, inner + (not takes_leaf)
        weights[node] = weights[pair[0]] + weights[pair[1]]
        parents[pair] = node
        is_right[pair[1]] = True
    return parents, is_right


def _joined(old: Tree, new: Tree) -> Tree:
    """Return the tree whose root, the last node, has both trees under it."""
    root = old.size + new.size
    paths, nodes, branches = [np.zeros(1, dtype=np.int64)], [], []
    for tree, shift, branch in ((old, 0, 1.0), (new, old.size, -1.0)):
        lengths = np.diff(tree.paths)
        starts = tree.paths[:-1]
        nodes.append(np.insert(tree.nodes + shift, starts, root).astype(np.int32))
        branches.append(np.insert(tree.branches, starts, branch).astype(np.float32))
        paths.append(paths[-1][-1] + np.cumsum(lengths + 1))
    return Tree(np.concatenate(paths), np.concatenate(nodes), np.concatenate(branches), root + 1)
