"""Layers, losses and optimizers that the neural models share; every backward pass is explicit."""
