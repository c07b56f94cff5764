"""``biolink bench medmentions``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biolink.cli.bases import ids_in
from biolink.cli.options import Method, ModelOption, ReportOutput, Seed, not_empty

if TYPE_CHECKING:
    from biolink.documents import Document

__all__ = ["medmentions"]


def medmentions(
    corpus: Annotated[
        list[str],
        typer.Argument(
            help="The files of the corpus, such as corpus_pubtator.txt.gz of ST21pv.",
            callback=not_empty,
        ),
    ],
    test_ids: Annotated[
        Path,
        typer.Option(
            help="A file with the PMIDs of the test documents, one in each line, which gzip or xz "
            "may have compressed: corpus_pubtator_pmids_test.txt."
        ),
    ],
    kb: Annotated[
        str,
        typer.Option(
            "--kb",
            help="The knowledge base, such as st21pv.kb, made by biolink kb build META --preset "
            "st21pv.",
            callback=not_empty,
        ),
    ],
    train_ids: Annotated[
        Path | None,
        typer.Option(
            help="A file with the PMIDs of the training documents, corpus_pubtator_pmids_trng.txt. "
            "With it, mentions and concepts that were seen in training are counted apart."
        ),
    ] = None,
    model: ModelOption = None,
    method: Method = None,
    output: ReportOutput = None,
    seed: Seed = 0,
) -> None:
    """Measure the linking of the annotated mentions of MedMentions, beside published figures.

    The report has strict and lenient Recall@1 by semantic type, and for mentions that were seen in
    training or not. It says whether the figures are comparable with published ones, and why not.
    The linker is not told the annotated types.
    """
    # Long because each option is a parameter.
    from biolink.bench.medmentions import Result, linked_untyped, split_by_ids, why_not_comparable
    from biolink.bench.medmentions_report import to_html, to_json, to_markdown
    from biolink.cli.console import message, progress
    from biolink.cli.evaluate import EvaluationJob, provenance_of, warn_of_seen
    from biolink.cli.inputs import raise_problem, read_all
    from biolink.cli.link import loaded_for_given
    from biolink.cli.outputs import check_outputs, write_reports
    from biolink.evaluation import evaluate
    from biolink.kb.wording import counted
    from biolink.scale.blocks import LinkSettings

    outputs = output or []
    files = (*corpus, str(test_ids), *([] if train_ids is None else [str(train_ids)]))
    check_outputs(outputs, (".md", ".json", ".html"), (*files, kb), (".html",))
    in_training = [] if train_ids is None else ids_in(train_ids)
    split = split_by_ids(read_all(corpus, None, raise_problem), ids_in(test_ids), in_training)
    if split.missing:
        message(
            f"biolink: warning: the corpus lacks {counted(len(split.missing), 'document')} of the "
            f"lists of PMIDs (for example {split.missing[0]})"
        )
    linker = loaded_for_given(LinkSettings(kb, model, method))
    seen = warn_of_seen(linker, split.test)

    def link(documents: Sequence[Document]) -> Iterator[Document]:
        with progress("linking", "documents") as advance:
            linked = linker.pipe(documents, recognise=False)
            for number, document in enumerate(linked, 1):
                advance(number, len(documents))
                yield document

    report = evaluate(
        linked_untyped(link, split.test),
        linker.bases,
        seed,
        training=split.training,
        provenance=provenance_of(EvaluationJob(files, kb, model, method=method, seed=seed), linker),
    )
    concepts = sum(len(base) for base in linker.bases.bases)
    reasons = why_not_comparable(split.test, concepts, seen)
    result = Result(f"biolink ({linker.options.method})", report, reasons)
    markdown = to_markdown(result)
    failed = write_reports(
        outputs,
        {
            ".md": lambda: markdown,
            ".json": lambda: to_json(result),
            ".html": lambda: to_html(result),
        },
    )
    typer.echo(markdown)
    for _, error in failed:
        raise error
