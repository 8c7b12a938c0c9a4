"""The words of a long text that say most, by TF-IDF over its sentences."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

__all__ = ["most_salient", "sentence_weights"]

_SENTENCE_END = re.compile(r"[.!?]+(?=\s)|\n")
_WORD = re.compile(r"\w+")
# Weights that are equal on paper come out of sums in different orders.
_DIGITS = 9


def most_salient(text: str, lengths: Callable[[Sequence[str]], Sequence[int]], budget: int) -> str:
    """Cut a text to its most salient words, in their order (HUSE section 4.1.1).

    A word's score is the largest of its weights in the text's sentences, by :func:`sentence_weights`. Occurrences of
    words are taken by score and, among equals, by position, until the next one would not fit. In a text of one sentence
    all scores are zero, so that its first words are kept. The paper names the method and the budget; how sentences and
    words are told apart, scores combined and ties broken is chosen here.

    Args:
        text: any text.
        lengths: how many tokens of the budget each of some words takes.
        budget: how many tokens may be kept.

    Returns:
        The kept words with single spaces between them, spelled as in the text.
    """
    sentences = [_WORD.findall(sentence) for sentence in _SENTENCE_END.split(text)]
    words = [word for sentence in sentences for word in sentence]
    scores: dict[str, float] = {}
    for weights in sentence_weights([[word.lower() for word in sentence] for sentence in sentences if sentence]):
        for word, weight in weights.items():
            scores[word] = max(scores.get(word, 0.0), round(weight, _DIGITS))
    distinct = list(dict.fromkeys(words))
    length = dict(zip(distinct, lengths(distinct), strict=True))
    kept = []
    for position in sorted(range(len(words)), key=lambda at: (-scores.get(words[at].lower(), 0.0), at)):
        budget -= length[words[position]]
        if budget < 0:
            break
        kept.append(position)
    return " ".join(words[position] for position in sorted(kept))


def sentence_weights(sentences: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """TF-IDF weights of the words of each sentence, where the sentences are the documents.

    A word's weight is its count in the sentence times ``log2(S / s)``, for S sentences of which s have the word; the
    weights of a sentence are scaled to unit length (the defaults of gensim's TfidfModel).

    Args:
        sentences: S lists of words.

    Returns:
        S mappings; a word that all sentences have is in none of them.
    """
    having = Counter(word for sentence in sentences for word in set(sentence))
    weighted = []
    for sentence in sentences:
        raw = {
            word: count * math.log2(len(sentences) / having[word])
            for word, count in Counter(sentence).items()
            if having[word] < len(sentences)
        }
        norm = math.hypot(*raw.values())
        weighted.append({word: weight / norm for word, weight in raw.items()})
    return weighted
