"""How good translations are: exact match, and BLEU as sacrebleu computes it, on detokenised text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER
from torch import Tensor
from torchmetrics import Metric


class TranslationScores(Metric):
    """Share of translations equal to their reference, and corpus BLEU (0 to 100), both over detokenised text.

    sacrebleu's counts are sums over sentences, so they are added up batch by batch: the result is that of one call on
    the whole corpus. `lower_case` compares without case; the signature says so (case:lc).
    """

    full_state_update = False

    def __init__(self, lower_case: bool = False) -> None:
        super().__init__()
        self.lower_case = lower_case
        self._bleu = BLEU(lowercase=lower_case)
        orders = torch.zeros(MAX_NGRAM_ORDER, dtype=torch.long)
        for name, default in {
            "matches": orders,  # n-grams found in the reference, for n = 1 ... 4
            "totals": orders,  # n-grams
            "words": torch.tensor(0),
            "reference_words": torch.tensor(0),
            "exact": torch.tensor(0),
            "samples": torch.tensor(0),
        }.items():
            self.add_state(name, default=default.clone(), dist_reduce_fx="sum")

    matches: Tensor
    totals: Tensor
    words: Tensor
    reference_words: Tensor
    exact: Tensor
    samples: Tensor

    def update(self, translations: Sequence[str], references: Sequence[str]) -> None:
        """Add sentences and their references, one each."""
        score = self._bleu.corpus_score(list(translations), [list(references)])
        self.matches += torch.tensor(score.counts, device=self.matches.device)
        self.totals += torch.tensor(score.totals, device=self.totals.device)
        self.words += score.sys_len
        self.reference_words += score.ref_len
        pairs = zip(translations, references, strict=True)
        self.exact += sum(self._fold(found) == self._fold(wanted) for found, wanted in pairs)
        self.samples += len(translations)

    def compute(self) -> dict[str, Tensor]:
        """Return `exact_match` in [0, 1] and `bleu` in [0, 100]."""
        bleu = BLEU.compute_bleu(
            self.matches.tolist(),
            self.totals.tolist(),
            int(self.words),
            int(self.reference_words),
            smooth_method=self._bleu.smooth_method,
            smooth_value=self._bleu.smooth_value,
        )
        return {"exact_match": self.exact / self.samples, "bleu": torch.tensor(bleu.score, device=self.exact.device)}

    @property
    def signature(self) -> str:
        """Sacrebleu's signature: what makes a BLEU comparable. Known once something was scored."""
        return str(self._bleu.get_signature())

    def _fold(self, text: str) -> str:
        return text.lower() if self.lower_case else text
