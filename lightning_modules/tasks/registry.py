"""The tasks that a configuration can name: `task: digits`."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_modules.copying import CopyingData, CopyingMemory
from lightning_modules.digits import DigitsData
from lightning_modules.images import ImageClassifier
from lightning_modules.language_modelling import LanguageModel, LanguageModellingData
from lightning_modules.loaders import SequenceData
from lightning_modules.mnist import MNISTData
from lightning_modules.sentiment import SentimentClassifier, SentimentData
from lightning_modules.task import SequenceTask
from lightning_modules.translation import Translator
from lightning_modules.translation_data import TranslationData


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
