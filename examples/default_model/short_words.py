"""List the short English words that biomedical texts do not mean as acronyms.

    python examples/default_model/short_words.py --data ../shared/data \\
        > infer/mentions/short_words.txt

A word is listed if the abstracts and full texts have it in lower case at least twenty times, and at
least ten times as often as in capitals: "cold" is, "copd" and "aids" are not.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from train import whole_texts

WORD = re.compile(r"(?<![\w-])[A-Za-z]{2,6}(?![\w-])")
LEAST = 20
TIMES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    small: Counter[str] = Counter()
    capitals: Counter[str] = Counter()
    for text in whole_texts(parser.parse_args().data):
        for word in WORD.findall(text):
            if word.islower():
                small[word] += 1
            elif word.isupper():
                capitals[word.lower()] += 1
    for word in sorted(small):
        if small[word] >= max(LEAST, TIMES * capitals[word]):
            print(word)


if __name__ == "__main__":
    main()
