"""A model without mathematics: its state is a number that each epoch raises by one."""

from fastrec.training.history import History
from fastrec.training.loop import Run, run_epochs


class Counter:
    """Counts its epochs; ``losses`` are what they report."""

    def __init__(self, losses):
        self.losses = losses
        self.state = 0
        self.history = History()

    def run(self, callbacks=(), validation=None, **options):
        """Train one epoch for each loss and return the run."""
        run = Run(
            model=self,
            epochs=len(self.losses),
            events=10,
            history=self.history,
            validation=validation,
            callbacks=tuple(callbacks),
            **options,
        )
        run_epochs(run, self.train)
        return run

    def train(self, epoch, meter):
        self.state += 1
        meter.update(10, self.losses[epoch] * 2, 2.0, "learning_rate")

    def _copy_state(self):
        return self.state

    def _restore_state(self, state):
        self.state = state
