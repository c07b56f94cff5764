"""Link to a part of the knowledge base, with and without NIL policies.

The embedded model was trained on diseases and chemicals. Here it links to the diseases alone. For a
chemical the nearest disease is always wrong, unless a policy says NIL.
"""

from __future__ import annotations

from pathlib import Path

import biolink
from biolink.bench.scoring import Part, guesses_of, score

ABSTRACTS = Path(__file__).parents[1] / "data" / "bc5cdr_test_20.PubTator"

POLICIES = {
    "direct (always the nearest)": biolink.NoNil(),
    "threshold 0.5": biolink.Threshold(0.5),
    "post-pruning": biolink.PostPruning(),
    "margin of 1 nat, and a threshold": biolink.AnyOf(
        (biolink.Margin(1.0), biolink.Threshold(0.3))
    ),
}


def main() -> None:
    documents = list(biolink.read(ABSTRACTS))[:5]
    linker = biolink.load()
    # The identifiers can be any: a list in a file, a branch, or your own selection.
    wanted = [concept.id for concept in linker.kb.subset(types={"Disease"})]
    part, _ = Part.of("diseases", linker.kb, wanted)
    # The model and the indexes stay the same but are masked; the recogniser still finds everything.
    restricted = linker.with_kb(part.kb).with_settings(recogniser=linker.recogniser)
    print(f"{len(part.kb):,} of {len(linker.kb):,} concepts")
    for name, policy in POLICIES.items():
        deciding = restricted.with_settings(nil=policy)
        linked = deciding.pipe((d.with_mentions(()) for d in documents), recognise=True)
        scores = score(documents, [guesses_of(document) for document in linked], part)
        print(
            f"{name:34} P {scores.precision:6.1%}  R {scores.recall:6.1%}  F1 {scores.f1:6.1%}  "
            f"links to what is outside: {scores.errors['outside']}"
        )


if __name__ == "__main__":
    main()
