"""The first two principal components: against the covariance, and in the small cases."""

import numpy as np
import pytest

from fastrec.data import IdMap
from fastrec.errors import UnknownIdError
from fastrec.search import Vectors


def vectors_of(matrix):
    matrix = np.asarray(matrix, dtype=np.float32)
    return Vectors(IdMap.from_ids(np.arange(len(matrix)))[0], matrix)


@pytest.fixture
def cloud():
    draw = np.random.default_rng(1)
    return vectors_of(draw.standard_normal((50, 6)) * [5, 3, 1, 1, 1, 1] + 7)


def components(matrix):
    """Return the two largest eigenvalues of the covariance, their vectors, and the trace."""
    values, axes = np.linalg.eigh(np.cov(np.float64(matrix).T))
    return values[::-1][:2], axes[:, ::-1][:, :2], values.sum()


def test_coordinates_are_those_of_the_largest_components(cloud):
    _, axes, _ = components(cloud.matrix)
    expected = (np.float64(cloud.matrix) - cloud.matrix.mean(axis=0)) @ axes
    np.testing.assert_allclose(abs(cloud.project().points), abs(expected), atol=1e-4)


def test_shares_are_those_of_the_variance(cloud):
    values, _, total = components(cloud.matrix)
    np.testing.assert_allclose(cloud.project().variance, values / total, rtol=1e-5)


def test_an_axis_points_to_where_its_largest_component_is_positive():
    for sign in (1, -1):
        points = vectors_of(np.array([[0, 0, 0], [1, -9, 0], [2, -18, 0]]) * sign).project().points
        assert (points[2, 0] < points[0, 0]) == (sign == 1)


def test_points_stand_in_the_order_of_the_ids(cloud):
    found = cloud.project([3, 9, 20, 3])
    np.testing.assert_array_equal(found.points[0], found.points[3])
    again = cloud.project([20, 9, 3, 3])
    np.testing.assert_allclose(found.points[[2, 1, 0, 3]], again.points, atol=1e-5)


@pytest.mark.parametrize(
    ("matrix", "shares"),
    [
        (np.empty((0, 3)), (0, 0)),
        ([[1, 2, 3]], (0, 0)),
        ([[1, 2], [1, 2]], (0, 0)),
        ([[1], [3]], (1, 0)),
    ],
    ids=["none", "one", "equal", "one column"],
)
def test_what_has_no_plane_has_zeros(matrix, shares):
    found = vectors_of(matrix).project()
    assert found.points.shape == (len(matrix), 2)
    assert found.variance == shares
    assert (found.points[:, 1] == 0).all()


def test_an_unknown_id_is_named(cloud):
    with pytest.raises(UnknownIdError, match="99"):
        cloud.project([1, 99])
