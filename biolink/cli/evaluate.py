"""``biolink evaluate``."""

from __future__ import annotations

from biolink.cli.console import progress, stdout
from biolink.cli.link import LinkJob, _linker, read_all
from biolink.errors import InputError
from biolink.evaluation import Report, Scores, evaluate

__all__ = ["run_evaluate"]


def run_evaluate(
    files: tuple[str, ...],
    kb: str | None,
    model: str | None,
    format: str | None,
    method: str | None,
    json: bool,
) -> Report:
    """Link the gold mentions of files and print how many are right."""
    linker = _linker(LinkJob(files=files, kb=kb, model=model, method=method))

    def fail(problem: InputError) -> None:
        raise problem

    with progress("linking", "documents") as advance:

        def linked() -> object:
            documents = read_all(files, format, fail)
            for number, document in enumerate(linker.pipe(documents, recognise=False), 1):
                advance(number, None)
                yield document

        report = evaluate(linked(), linker.kb)  # type: ignore[arg-type]
    console = stdout()
    if json:
        console.print(report.to_json(), markup=False, soft_wrap=True)
        return report
    console.print(
        f"{report.documents} documents, {report.mentions} mentions with gold ids, "
        f"{report.in_kb} of them in the knowledge base, {report.nil} linked to NIL"
    )
    for name, scores in (
        ("strict", report.strict),
        ("lenient", report.lenient),
        ("strict, gold in KB", report.strict_in_kb),
        ("lenient, gold in KB", report.lenient_in_kb),
    ):
        if isinstance(scores, Scores):
            low, high = scores.interval
            console.print(
                f"{name:20} Recall@1 {scores.recall_at_1:.2%} [{low:.2%}, {high:.2%}]  "
                f"Recall@5 {scores.recall_at_5:.2%}",
                markup=False,
            )
    return report
