"""Linked abstracts as a pandas table, step by step as in a notebook."""

# %% Find and link mentions in the documents; mentions without a concept stay in.
from pathlib import Path

import pandas as pd

import biolink

ABSTRACTS = Path(__file__).parent / "data" / "bc5cdr_test_20.PubTator"

linker = biolink.load()
documents = [document.with_mentions(()) for document in biolink.read(ABSTRACTS)]
linked = list(linker.pipe(documents))

# %% Make a table with a row for each mention.
mentions = pd.DataFrame(
    {
        "document": document.id,
        "start": mention.start,
        "end": mention.end,
        "mention": mention.text,
        "type": mention.type,
        "concept": mention.best.concept_id if mention.best else None,
        "name": mention.best.preferred_name if mention.best else None,
        "probability": mention.best.probability if mention.best else None,
        "nil": mention.nil_reason,
    }
    for document in linked
    for mention in document.mentions
)
print(mentions.head(10).to_string(index=False))

# %% Count the mentions that have no concept.
print(f"\n{mentions['concept'].isna().mean():.1%} of {len(mentions)} mentions are NIL\n")

# %% List the concepts that most documents name.
about = (
    mentions.dropna(subset=["concept"])
    .groupby(["concept", "name", "type"])["document"]
    .agg(documents="nunique", mentions="size")
    .sort_values(["documents", "mentions"], ascending=False)
)
print(about.head(10).to_string())

# %% Count the drugs and diseases that occur together.
pairs = mentions.dropna(subset=["concept"])[["document", "type", "name"]].drop_duplicates()
drugs = pairs[pairs["type"] == "Chemical"]
diseases = pairs[pairs["type"] == "Disease"]
together = drugs.merge(diseases, on="document", suffixes=("_drug", "_disease"))
counts = together.groupby(["name_drug", "name_disease"]).size().sort_values(ascending=False)
print("\n" + counts.head(10).to_string())
