"""Huffman trees: optimal, a distribution over the items, and grown without moving a node."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.training.huffman import grown_tree, huffman_tree

counts_of_items = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)
blocks_of_counts = st.lists(counts_of_items, min_size=1, max_size=4)


def least_cost(counts):
    """The summed weights of the inner nodes of an optimal tree: Huffman (1952), with a heap."""
    heap = [max(count, 1) for count in counts]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    return cost


def grown(blocks):
    return grown_tree(np.concatenate(blocks).astype(np.int64), [len(block) for block in blocks])


def path_of(tree, item):
    """The nodes and branches of an item, from the root on."""
    path = slice(tree.paths[item], tree.paths[item + 1])
    return list(zip(tree.nodes[path].tolist(), tree.branches[path].tolist(), strict=True))


def probabilities(tree, scores):
    """The probability of each item where the nodes have these scores."""
    steps = 1 / (1 + np.exp(-tree.branches * scores[tree.nodes]))
    edges = zip(tree.paths[:-1], tree.paths[1:], strict=True)
    return np.array([np.prod(steps[begin:end]) for begin, end in edges])


@given(counts_of_items)
def test_no_tree_has_shorter_paths(counts):
    tree = huffman_tree(np.array(counts))
    assert (np.diff(tree.paths) * np.maximum(counts, 1)).sum() == least_cost(counts)


@given(counts_of_items)
def test_no_item_has_a_longer_path_than_a_rarer_one(counts):
    lengths = np.diff(huffman_tree(np.array(counts)).paths)
    weights = np.maximum(counts, 1)
    assert not ((weights[:, None] > weights) & (lengths[:, None] > lengths)).any()


@given(blocks_of_counts)
def test_the_items_share_a_probability_of_one(blocks):
    tree = grown(blocks)
    scores = np.random.default_rng(0).normal(scale=2, size=tree.size)
    assert probabilities(tree, scores).sum() == pytest.approx(1)


@given(blocks_of_counts)
def test_every_node_is_on_a_path_and_is_left_both_ways(blocks):
    """But for the row that stands in for the nodes of a tree of one item."""
    tree = grown(blocks)
    found = set(zip(tree.nodes.tolist(), tree.branches.tolist(), strict=True))
    idle = sum(len(block) == 1 for block in blocks)
    assert tree.size == sum(max(len(block) - 1, 1) for block in blocks) + len(blocks) - 1
    assert len(found) == 2 * (tree.size - idle)


@given(blocks_of_counts)
def test_old_nodes_keep_their_rows_and_branches_when_a_tree_grows(blocks):
    before, after = grown(blocks), grown([*blocks, [3, 1, 2]])
    for item in range(sum(map(len, blocks))):
        assert path_of(after, item)[1:] == path_of(before, item)


@given(counts_of_items)
def test_the_root_comes_first_and_has_the_first_row(counts):
    tree = huffman_tree(np.array(counts))
    for item in range(len(counts)):
        nodes = [node for node, _ in path_of(tree, item)]
        assert nodes == sorted(set(nodes))
        assert nodes[:1] == [0][: len(counts) - 1]


def test_one_item_needs_no_node():
    tree = huffman_tree(np.array([7]))
    assert (tree.paths.tolist(), tree.nodes.tolist(), tree.size) == ([0, 0], [], 1)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_equal_counts_give_paths_of_equal_length(depth):
    tree = huffman_tree(np.full(2**depth, 5))
    assert np.diff(tree.paths).tolist() == [depth] * 2**depth


def test_the_counts_of_fibonacci_give_the_deepest_tree():
    counts = [1, 1]
    while len(counts) < 80:
        counts.append(counts[-1] + counts[-2])
    lengths = np.diff(huffman_tree(np.array(counts[::-1])).paths)
    assert lengths.tolist() == [*range(1, 80), 79]


def test_items_without_a_count_have_a_path_all_the_same():
    zeros, ones = huffman_tree(np.array([5, 0, 0])), huffman_tree(np.array([5, 1, 1]))
    assert [path_of(zeros, item) for item in range(3)] == [path_of(ones, item) for item in range(3)]


def test_the_types_are_those_that_the_kernel_reads():
    for tree in (huffman_tree(np.array([3])), grown([[5, 2, 1], [1], [2, 2]])):
        types = tree.paths.dtype, tree.nodes.dtype, tree.branches.dtype
        assert types == (np.int64, np.int32, np.float32)
        assert tree.nbytes == sum(a.nbytes for a in (tree.paths, tree.nodes, tree.branches))
