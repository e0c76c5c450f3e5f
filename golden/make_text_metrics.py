"""Metrics of generated text: golden/text_metrics.json.

One case a hypothesis with its references, hand-made nasty ones first and then random ones:

    tokens                          the hypothesis as sacrebleu's 13a tokenizer makes it
    bleu, chrf, chrf_pp             sacrebleu's sentence scores (chrF2 and chrF2++)
    rouge1, rouge2, rougeL          [precision, recall, F] by rouge-score, not stemmed, against the reference with the highest F
    stemmed                         the same three F-measures with its Porter stemmer
    exact_match, f1                 the best over the references by the rules of SQuAD 2.0's evaluation script

`stems` are [word, stem] by NLTK's Porter stemmer, of the words of smollm2_text.txt and of made-up words with every ending it knows.

`corpora` are runs of cases (`first`, `count`) with sacrebleu's corpus scores `bleu`, `bleu_precisions`, `bleu_penalty`,
`chrf` and `chrf_pp`.
"""

import random
import re
import string
from collections import Counter

import nltk
import rouge_score.rouge_scorer
import sacrebleu
from golden_file import HERE, versions, write_json
from nltk.stem.porter import PorterStemmer
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

SEED, RANDOM_CASES, CORPUS = 4, 110, 12
ROUGE = ["rouge1", "rouge2", "rougeL"]

NASTY = [
    ("", ["a reference"]), ("a hypothesis", [""]), ("", [""]), (" \t\n", ["\u00a0"]), ("the", ["a"]), ("The!", ["the", "an"]),
    ("word", ["word"]), ("two words", ["two words"]), ("now three words", ["now three words"]), ("a b c d", ["a b c d"]),
    ("a b c d e", ["a b c d e"]), ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),
    ("a a a a", ["a a"]), ("a a", ["a a a a a a a a"]), ("b a b a b a b", ["a b a b a b a b a"]),
    ("completely different", ["nothing shared here"]), ("one match inside of this", ["nothing but one here"]),
    ("It costs 1,000.50 dollars.", ["It costs 1,000.5 dollars."]), ("version 2.0.1-rc.3,", ["version 2.0.1 - rc.3 ,"]),
    ("3-4, 5.6.7 ,8 .9 -1 1- -", ["3 - 4 , 5.6.7 , 8 . 9 - 1"]), ("...", ["…"]), ("..,,..", [". . , , . ."]), ("a.b,c", ["a . b , c"]),
    ("x.", ["x ."]), (".x", [". x"]), (",1", [", 1"]), ("1,", ["1 ,"]), ("1.a.2,b,3", ["1 . a . 2 , b , 3"]),
    ("&quot;Tom &amp; Jerry&quot; &lt;3 &gt;2 &amp;lt;", ['"Tom & Jerry" <3 >2']), ("<skipped>what is left<skipped>", ["what is left"]),
    ("a hyphen-\nated word\nand a line", ["a hyphenated word and a line"]), ("don't can't won't it's", ["do n't ca n't wo n't it 's"]),
    ("`quoted' {braces} [brackets] ~tilde~ ^caret^ _under_", ["quoted braces brackets tilde caret under"]),
    ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", ["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]), ("(hi) \"there\" well-known,", ["( hi ) \" there \" well - known ,"]),
    ("naïve café über straße", ["naive cafe uber strasse", "naïve café über straße"]), ("cafe\u0301", ["café"]), ("ΟΔΥΣΣΕΥΣ ΣΑΣ", ["οδυσσευς σας"]),
    ("İstanbul", ["istanbul", "i̇stanbul"]), ("ſ K Å", ["s k å"]), ("Straẞe", ["straße"]),
    ("東京は日本の首都です。", ["東京は日本の首都である。"]), ("Это — тест, «кавычки».", ["Это - тест, \"кавычки\"."]), ("مرحبا بالعالم", ["مرحبا العالم"]),
    ("👩‍👩‍👧 family 👍🏽", ["👩‍👩‍👧 family 👍"]), ("zero\u200bwidth", ["zero width"]), ("no\u00a0break\u2003em\u3000wide", ["no break em wide"]),
    ("unit\u001fseparator\u001cfile", ["unit separator file"]), ("next\u0085line", ["next line"]), ("tab\tand\vvertical\ffeed", ["tab and vertical feed"]),
    ("１２３ fullwidth ，．", ["123 fullwidth ,."]), ("½ ² Ⅳ", ["1/2 2 IV"]), ("the a an", ["an the a"]), ("a-an-the", ["aanthe"]), ("The_Beatles", ["beatles", "the beatles"]),
    ("the\u0301 there", ["there"]), ("thé à an'", ["thé à"]), ("An apple a day keeps the doctor away", ["apple day keeps doctor away"]),
    ("answer: 42", ["42", "forty-two", "answer 42"]), ("42.", ["42"]), ("4.2", ["42"]), ("U.S.A.", ["USA"]), ("yes", ["Yes", "no"]), ("YES!", ["yes."]),
    ("running runs ran runner easily fairly", ["run run running easy fair"]), ("ponies caresses cats ties dies", ["poni caress cat tie die"]),
    ("happily skies news inning dying lying", ["happy sky new innings die lie"]), ("a" * 300, ["a" * 299 + "b"]), (" ".join("abcdefghij"), [" ".join("jihgfedcba")]),
    (" ".join(str(i) for i in range(60)), [" ".join(str(i) for i in range(0, 120, 2))]), ("short", ["a very much longer reference with many words in it"]),
    ("a very much longer hypothesis with many words in it", ["short"]), ("equal length here", ["x y", "x y z w"]), ("x", ["x", "x y", ""]), ("q w e", ["", "q w e"]),
]

WORDS = ["the", "a", "an", "cat", "Cat", "mat", "sat", "on", "in", "running", "runs", "nationally", "relational", "don't", "well-known", "1,000", "3.14", "7", "U.S.",
         "naïve", "東京", "είναι", "тест", "&amp;", "&quot;", "...", ",", ".", "!", "(so)", "\"", "-", "—", "x-1", "2-3", "#tag", "a_b", "é", "e\u0301", "👍"]
ENDINGS = ["", "s", "ss", "sses", "ies", "ied", "eed", "ed", "ing", "y", "ational", "tional", "enci", "anci", "izer", "bli", "abli", "alli", "entli", "eli", "ousli", "ization",
           "ation", "ator", "alism", "iveness", "fulness", "ousness", "aliti", "iviti", "biliti", "fulli", "logi", "icate", "ative", "alize", "iciti", "ical", "ful", "ness", "al",
           "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize", "e", "ll", "lled", "zzing"]
BEGINNINGS = ["", "a", "b", "y", "yy", "cr", "tre", "fil", "hop", "fail", "tann", "abb", "oy", "toy", "syzyg", "box", "snow", "play", "ge", "the", "mon", "rel", "cond", "operat", "hiss", "fizz", "control",
              "x9", "2n", "agr", "plast", "conflat", "troubl", "siz", "u", "ov", "eu", "ariv", "hopeful", "nation"]
SEPARATORS = [" "] * 12 + ["  ", "\t", "\n", "\u00a0", "-\n", ""]


def text(generator, most):
    pieces = []
    for _ in range(generator.randrange(most)):
        pieces += [generator.choice(WORDS), generator.choice(SEPARATORS)]
    return "".join(pieces)


def mutated(generator, source):
    """The text with a few words dropped, doubled, swapped or replaced: something to score in the middle of the scale."""
    words = source.split(" ")
    for _ in range(generator.randrange(1, 5)):
        at = generator.randrange(len(words))
        words[at:at + 1] = generator.choice([[], [words[at]] * 2, [generator.choice(WORDS)], words[at:at + 1]])
        words = words or [""]
    return " ".join(words)


def random_case(generator):
    references = [text(generator, 30) for _ in range(generator.choice([1, 1, 2, 4]))]
    hypothesis = mutated(generator, generator.choice(references)) if generator.random() < 0.8 else text(generator, 30)
    return hypothesis, references


def normalized(answer):
    """SQuAD's comparison: lower case, then punctuation, articles and white space."""
    answer = "".join(c for c in answer.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", answer).split())


def f1(prediction, answer):
    prediction, answer = normalized(prediction).split(), normalized(answer).split()
    shared = sum((Counter(prediction) & Counter(answer)).values())
    if not prediction or not answer:
        return float(prediction == answer)
    if shared == 0:
        return 0.0
    precision, recall = shared / len(prediction), shared / len(answer)
    return 2 * precision * recall / (precision + recall)


def best(scorer, hypothesis, references):
    return {kind: max((scorer.score(reference, hypothesis)[kind] for reference in references), key=lambda score: score.fmeasure) for kind in ROUGE}


def case(hypothesis, references):
    rouge, stemmed = (best(rouge_score.rouge_scorer.RougeScorer(ROUGE, use_stemmer=stemmer), hypothesis, references) for stemmer in [False, True])
    return {"hypothesis": hypothesis, "references": references, "tokens": Tokenizer13a()(hypothesis),
            "bleu": BLEU(effective_order=True).sentence_score(hypothesis, references).score,
            "chrf": CHRF().sentence_score(hypothesis, references).score, "chrf_pp": CHRF(word_order=2).sentence_score(hypothesis, references).score,
            **{kind: list(rouge[kind]) for kind in ROUGE}, "stemmed": [stemmed[kind].fmeasure for kind in ROUGE],
            "exact_match": any(normalized(hypothesis) == normalized(reference) for reference in references),
            "f1": max(f1(hypothesis, reference) for reference in references)}


def corpus(cases, first, count):
    chosen = cases[first:first + count]
    hypotheses = [case["hypothesis"] for case in chosen]
    most = max(len(case["references"]) for case in chosen)
    # sacrebleu takes one list a reference, with None where a text has fewer.
    references = [[case["references"][at] if at < len(case["references"]) else None for case in chosen] for at in range(most)]
    bleu = BLEU().corpus_score(hypotheses, references)
    return {"first": first, "count": len(chosen), "bleu": bleu.score, "bleu_precisions": bleu.precisions, "bleu_penalty": bleu.bp,
            "chrf": CHRF().corpus_score(hypotheses, references).score, "chrf_pp": CHRF(word_order=2).corpus_score(hypotheses, references).score}


def stems(generator):
    """Words of four letters and more, which is what rouge-score stems."""
    stemmer = PorterStemmer()
    found = sorted(set(re.findall("[a-z0-9]{4,}", (HERE / "smollm2_text.txt").read_text(encoding="utf-8").lower())))
    words = set(generator.sample(found, 600)) | set(stemmer.pool)
    for ending in ENDINGS:
        words |= {generator.choice(BEGINNINGS) + ending for _ in range(12)}
    return [[word, stemmer.stem(word)] for word in sorted(word for word in words if len(word) > 3)]


def main():
    generator = random.Random(SEED)
    cases = [case(*texts) for texts in NASTY + [random_case(generator) for _ in range(RANDOM_CASES)]]
    corpora = [corpus(cases, first, CORPUS) for first in range(0, len(cases), CORPUS)]
    corpora += [corpus(cases, first, count) for first, count in [(0, len(cases)), (0, 1), (0, 4), (6, 1), (7, 2)]]
    write_json("text_metrics.json", {"corpora": corpora, "stems": stems(random.Random(SEED)), "made_with": versions(sacrebleu=sacrebleu.__version__, rouge_score="0.1.2", nltk=nltk.__version__), "cases": cases})


if __name__ == "__main__":
    main()
