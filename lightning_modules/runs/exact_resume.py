"""What Lightning (2.6) leaves out of a checkpoint, or takes up at another place than where it stopped.

The inventory, by who keeps it:

    weights, optimiser, schedule, loss scale, counters of the loops    Lightning
    best score and patience of EarlyStopping, time used of max_time    these callbacks, through Lightning
    position in the epoch, carried states, half an epoch's metrics     data module and task
    random generators of every process, lowest val_loss, seconds       `RunCheckpoint`
    the decision to stop, the last metrics that callbacks monitor      here
    what is logged right after a checkpoint is written                 here: logged before
    the place in the loop under trainer.max_steps                      here
    that a validation is still to come                                 here
"""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Trainer


def decisions(trainer: Trainer) -> dict[str, Any]:
    """Return whether it was decided to stop, and the metrics that such decisions are made from."""
    metrics = {name: value.detach().cpu().clone() for name, value in trainer.callback_metrics.items()}
    return {"should_stop": trainer.should_stop, "callback_metrics": metrics}


def take_up_decisions(trainer: Trainer, kept: dict[str, Any]) -> None:
    """Take up what `decisions` returned, when a fit starts: Lightning has just forgotten it."""
    trainer.should_stop = trainer.should_stop or kept.get("should_stop", False)
    trainer.callback_metrics.update(kept.get("callback_metrics", {}))


def goes_on(trainer: Trainer, batch_idx: int) -> bool:
    """Whether another step of this epoch follows.

    If not, what comes next is validation and the end of the epoch, and Lightning would resume behind them.
    """
    return batch_idx + 1 < trainer.num_training_batches and not is_over(trainer)


def is_over(trainer: Trainer) -> bool:
    """Whether no step follows, in this epoch or another; only trainer.max_epochs is not asked here."""
    return trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step


def log_ahead(trainer: Trainer) -> None:
    """Log what Lightning logs right after this hook; a run that is killed in between would never log it.

    The log does not take the same values twice.
    """
    connector = trainer._logger_connector
    if trainer.fit_loop.epoch_loop._is_training_done or connector.should_update_logs:
        for logger in trainer.loggers:
            values: dict[str, Any] = {**connector.metrics["log"], "epoch": trainer.current_epoch}
            logger.log_metrics(values, step=trainer.global_step - 1)


def begin_with_validation(checkpoint: dict[str, Any]) -> None:
    """Let a run that resumes from this checkpoint begin with the validation at the end of the epoch.

    Written as the loop has it within the first batch of a validation: that, Lightning takes up from the first batch on.
    """
    counts = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    progress = {"total": counts, "current": dict(counts), "is_last_batch": False}
    checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"] = progress


def begin_next_epoch(trainer: Trainer) -> None:
    """Go on with the next epoch where the checkpoint was written at the end of one.

    Under trainer.max_steps, Lightning takes every checkpoint for one of an unfinished epoch. It would end the finished
    one again, with metrics of nothing, and count it twice: the run had an epoch less.
    """
    loop: Any = trainer.fit_loop
    if loop.restarting and loop.epoch_progress.current.ready == loop.epoch_progress.current.processed:
        complete_epoch(trainer)
        loop.on_iteration_done()
        loop.epoch_loop.restarting = False


def complete_epoch(trainer: Trainer) -> None:
    """Count the epoch that just ended, which the checkpoint that was written at its end does not."""
    progress: Any = trainer.fit_loop.epoch_progress
    for counts in (progress.total, progress.current):
        counts.completed = counts.processed
