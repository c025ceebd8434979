"""What every fit shares: the epoch loop, history, callbacks, and the noise that losses draw."""

from fastrec.training.callbacks import Callback, EarlyStopping
from fastrec.training.history import History

__all__ = ["Callback", "EarlyStopping", "History"]
