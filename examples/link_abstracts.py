"""Link twenty PubMed abstracts with the embedded default and count the concepts found.

python examples/link_abstracts.py
"""

from collections import Counter
from pathlib import Path

import biolink

linker = biolink.load()
documents = biolink.read(Path(__file__).parent / "data" / "bc5cdr_test_20.PubTator")
concepts: Counter[tuple[str, str]] = Counter()
for document in linker.pipe(documents, recognise=True):
    for mention in document.mentions:
        if mention.best is not None:
            concepts[(mention.best.curie, mention.best.preferred_name)] += 1
for (curie, name), count in concepts.most_common(15):
    print(f"{count:4} {curie:15} {name}")
