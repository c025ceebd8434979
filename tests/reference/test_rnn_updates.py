"""The optimizers of the reference against those of PyTorch, on all rows and on touched ones."""

import numpy as np
import pytest

from tests.reference.rnn_updates import KINDS, Optimizer, clipped, update

TWINS = {  # ours and PyTorch's names of the same
    "sgd": ("SGD", {"momentum": 0.3}, {"momentum": 0.3}),
    "adagrad": ("Adagrad", {}, {"eps": 1e-8}),
    "adam": ("Adam", {}, {}),
    "decayed adam": ("AdamW", {"decay": 0.2}, {"weight_decay": 0.2}),
}


def run(optimizer, gradients, rows=None, rate=0.1):
    array = np.arange(12.0).reshape(4, 3) / 10
    slots = optimizer.slots(array)
    for step, gradient in enumerate(gradients, start=1):
        update(
            optimizer, array, slots, gradient, rate, step, None if rows is None else rows[step - 1]
        )
    return array


def gradients_at_random(steps=4):
    return np.random.default_rng(0).standard_normal((steps, 4, 3))


@pytest.mark.parametrize("kind", TWINS)
def test_a_dense_step_is_that_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    name, ours, theirs = TWINS[kind]
    found = run(Optimizer(kind.split()[-1], **ours), gradients_at_random())
    w = torch.tensor(np.arange(12.0).reshape(4, 3) / 10, requires_grad=True)
    twin = getattr(torch.optim, name)([w], lr=0.1, **theirs)
    for gradient in gradients_at_random():
        w.grad = torch.tensor(gradient)
        twin.step()
    np.testing.assert_allclose(found, w.detach().numpy(), rtol=1e-12)


def test_adam_on_touched_rows_is_sparse_adam_of_pytorch():
    torch = pytest.importorskip("torch")
    rows = [np.array([0, 2]), np.array([2]), np.array([1, 2]), np.array([0])]
    # The two add epsilon at different places; where it is next to nothing they agree.
    found = run(Optimizer("adam", epsilon=1e-30), gradients_at_random(), rows)
    w = torch.tensor(np.arange(12.0).reshape(4, 3) / 10, requires_grad=True)
    twin = torch.optim.SparseAdam([w], lr=0.1, eps=1e-30)
    for gradient, touched in zip(gradients_at_random(), rows, strict=True):
        values = torch.tensor(gradient[touched])
        w.grad = torch.sparse_coo_tensor(touched[None], values, (4, 3), check_invariants=True)
        twin.step()
    np.testing.assert_allclose(found, w.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_not_touched_stay(kind):
    found = run(Optimizer(kind, momentum=0.5, decay=0.1), gradients_at_random(2), [[0], [0, 1]])
    np.testing.assert_array_equal(found[2:], np.arange(12.0).reshape(4, 3)[2:] / 10)
    assert (found[:2] != np.arange(12.0).reshape(4, 3)[:2] / 10).all()


def test_row_wise_adagrad_is_adagrad_where_a_row_has_one_gradient_in_all_columns():
    gradients = np.repeat(gradients_at_random()[:, :, :1], 3, axis=2)
    one, other = (run(Optimizer(kind), gradients) for kind in ("adagrad", "row_adagrad"))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_clipping_scales_the_layers_alone_and_keeps_directions():
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([4.0]), "inputs": np.array([100.0])}
    found = clipped(gradients, ["a", "b"], 2.5)
    assert found["a"].tolist() == [1.5, 0.0]
    assert found["b"].tolist() == [2.0]
    assert found["inputs"].tolist() == [100.0]
    assert clipped(gradients, ["a", "b"], 0) is gradients
    assert clipped(gradients, ["a", "b"], 5.0) is gradients
