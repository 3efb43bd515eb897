"""Answers beside their references: exact match, BLEU and ROUGE-L.

BLEU's counts are sacrebleu's and ROUGE-L is rouge-score's. rouge-score's own tokenizer
knows the letters a to z and the digits alone, so that an answer in Greek would score 0;
here each word of any script is one, and so is each character of scripts that part no
words. Of English text the two make the same.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, cast

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer as RougeTokenizer
from sacrebleu.metrics.bleu import BLEU
from typing_extensions import override

from studio.domain.evaluation import normalised

ORDERS: Final = 4
_ALONE: Final = (
    "\u0e00-\u0e7f"  # Thai
    "\u3040-\u30ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff"  # Chinese
)
# The underscore is a word's character to Python, and none to rouge-score.
_WORDS: Final = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")


class AnyScript(RougeTokenizer):  # type: ignore[misc]  # rouge-score has no types
    """Parts text into words for rouge-score, whatever they are written in."""

    @override
    def tokenize(self, text: str) -> list[str]:
        """Small words, without what stands between them."""
        return _WORDS.findall(unicodedata.normalize("NFKC", text).lower())


class Scores:
    """Scores answers by one set of terms."""

    def __init__(self, *, lowercase: bool) -> None:
        """Prepare.

        Args:
            lowercase: BLEU looks at no capitals.
        """
        self._bleu = BLEU(lowercase=lowercase, effective_order=True)
        self._corpus = BLEU(lowercase=lowercase)
        self._rouge = RougeScorer(["rougeL"], tokenizer=AnyScript())

    def is_exact(self, answer: str, references: Sequence[str]) -> bool:
        """Whether an answer is one of the references; see `normalised`."""
        return normalised(answer) in map(normalised, references)

    def rouge_l(self, answer: str, references: Sequence[str]) -> float:
        """F-measure with the closest reference, 0 to 1."""
        scored = self._rouge.score_multi(list(references), answer)
        return float(scored["rougeL"].fmeasure)

    def bleu_counts(self, answer: str, references: Sequence[str]) -> list[float]:
        """What corpus BLEU adds up of an answer.

        Returns:
            Words of the answer, words of the reference that is next in length, matches
            of one to four words, and such sequences in the answer.
        """
        one_line = [" ".join(text.split()) for text in (answer, *references)]
        scored = self._bleu.sentence_score(one_line[0], one_line[1:])
        return [scored.sys_len, scored.ref_len, *scored.counts, *scored.totals]

    def bleu(self, counts: Sequence[float]) -> float:
        """Corpus BLEU, 0 to 100, of counts that were added up."""
        whole = [round(count) for count in counts]
        scored = BLEU.compute_bleu(
            correct=whole[2 : 2 + ORDERS],
            total=whole[2 + ORDERS :],
            sys_len=whole[0],
            ref_len=whole[1],
            smooth_method="exp",
        )
        return float(scored.score)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """How BLEU was taken, as sacrebleu writes it.

        Args:
            references: Of each input.
        """
        # What it says of references follows from the scoring that was done last.
        most = max(map(len, references))
        streams = [
            [refs[place] if place < len(refs) else None for refs in references]
            for place in range(most)
        ]
        first = [refs[0] for refs in references]
        # It takes None where an input has fewer, whatever its types say.
        self._corpus.corpus_score(first, cast("Sequence[Sequence[str]]", streams))
        return str(self._corpus.get_signature())
