"""The tasks that a configuration can name: `task: digits`."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_modules.data.loaders import SequenceData
from lightning_modules.tasks.copying.data import CopyingData
from lightning_modules.tasks.copying.task import CopyingMemory
from lightning_modules.tasks.images.digits import DigitsData
from lightning_modules.tasks.images.mnist import MNISTData
from lightning_modules.tasks.images.task import ImageClassifier
from lightning_modules.tasks.language_modelling.data import LanguageModellingData
from lightning_modules.tasks.language_modelling.task import LanguageModel
from lightning_modules.tasks.sentiment.data import SentimentData
from lightning_modules.tasks.sentiment.task import SentimentClassifier
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.translation.data import TranslationData
from lightning_modules.tasks.translation.task import Translator


@dataclass(frozen=True)
class Task:
    """A model, the data it learns from, and the metric a user looks at first."""

    model: type[SequenceTask]
    data: type[SequenceData]
    headline: str
    lower_is_better: bool = False


TASKS = {
    "digits": Task(ImageClassifier, DigitsData, headline="accuracy"),
    "mnist": Task(ImageClassifier, MNISTData, headline="accuracy"),
    "copying": Task(CopyingMemory, CopyingData, headline="recall"),
    "sentiment": Task(SentimentClassifier, SentimentData, headline="accuracy"),
    "language_modelling": Task(LanguageModel, LanguageModellingData, headline="perplexity", lower_is_better=True),
    "translation": Task(Translator, TranslationData, headline="exact_match"),
}
