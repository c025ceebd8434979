"""What every fit shares: the epoch loop, history, callbacks, and the noise that losses draw."""

from fastrec.training.callbacks import Callback, Checkpoint, EarlyStopping, StopAt
from fastrec.training.history import History

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "History", "StopAt"]
