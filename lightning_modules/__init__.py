"""Training tasks of tnqrnn: one LightningModule per head, one LightningDataModule per data set, and the command line.

task.py           SequenceTask: a recurrent cell, a linear head, one optimiser, one step for every split
images.py         images as sequences, by rows, by pixels or by permuted pixels, and their classifier
digits.py         8x8 scans that come with scikit-learn; mnist.py: MNIST from the hub or a local folder
copying.py        the copying memory task
text.py           TextTask: token ids through an embedding; batches of texts of similar length
sentiment.py      positive or negative: sentiment_grammar.py generates, bag_of_words.py is the yardstick
language_modelling.py  next tokens: reference_text.py, ngrams.py; carried_state.py keeps the state in a checkpoint
vocabulary.py     tokens to ids and back; hub.py: data sets of the Hugging Face hub or of local folders
translation.py    German to English, by encoder and decoder
                  data: translation_data.py, language_pairs.py, number_words.py
                  writing and scores: decoding.py, translation_scores.py, attention_figure.py
contract.py       what a run needs of a task and its data, asked before it is trained
registry.py       the names that `task:` in a configuration may take
loaders.py        batches whose order is a function of (seed, epoch), resumable in the middle of an epoch
split_metrics.py  the metrics of one split, and how they survive a restart
run_directory.py  runs/<task>-<hash>-seed<seed>/ and the files in it
checkpoints.py    writing and checking checkpoints
checkpoint_files.py  their files, each with its digest
exact_resume.py   what Lightning leaves out of checkpoints
user_callbacks.py which of Lightning's callbacks a run takes
metrics_log.py    metrics.jsonl
processes.py      several processes of one training: who started them, what they agree on
pictures.py       a picture that cannot be drawn, said and passed over
preemption.py     requeueing a job that is to lose its nodes
measured.py       memory of the training, time of the test
progress.py       progress on a terminal and in a log file
cli.py            the command line: exit codes; task_cli.py: its commands fit, validate and test
runs.py           the same commands for other programs, and trained runs taken up from a checkpoint
command_line.py   what stands on a command line before settings are parsed
errors.py         why a run stopped, or did not start
trainer_settings.py    Lightning's settings: the user's, those withheld and why, what is checked before work
refusals.py       one sentence for every setting that cannot be used
configs/          the shipped configurations
"""

from __future__ import annotations
