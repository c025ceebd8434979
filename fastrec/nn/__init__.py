"""Layers, losses and optimizers that the neural models share; explicit backward, no autograd."""

from fastrec.nn.lookup import Lookup, bag, gather
from fastrec.nn.matrices import BFloat16Rows
from fastrec.nn.optimizers import SGD, Adagrad, Adam, Optimizer, RowAdagrad

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "BFloat16Rows",
    "Lookup",
    "Optimizer",
    "RowAdagrad",
    "bag",
    "gather",
]
