"""``biolink evaluate`` and ``biolink compare``."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biolink.blocks import LinkSettings
from biolink.cli.console import message, progress, stdout
from biolink.cli.inputs import read_all
from biolink.cli.link import loaded_for_given
from biolink.documents import Document
from biolink.errors import ConfigError, InputError
from biolink.evaluation import Comparison, Report, compare, evaluate
from biolink.kb.files import replace_file, sha256_of

__all__ = ["EvaluationJob", "run_compare", "run_evaluate"]

_SUFFIXES = (".json", ".md", ".html")


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """What is measured, and where the reports go.

    Attributes
    ----------
    files, kb, model, format, method
        As for ``biolink link``.
    train
        Documents that the linker was trained on: seen and unseen, and names under ``biosyn``.
    protocol
        ``strict`` or ``biosyn``.
    baselines
        Measure exact match and TF-IDF as well.
    predictions
        Other systems' output, each a row.
    output
        Files to write; ``.json``, ``.md`` or ``.html``.
    json
        Print the report as JSON.
    """

    files: tuple[str, ...]
    kb: str | None = None
    model: str | None = None
    format: str | None = None
    method: str | None = None
    train: tuple[str, ...] = ()
    protocol: str = "strict"
    baselines: bool = False
    predictions: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    json: bool = False
    seed: int = 0


def _raise(problem: InputError) -> None:
    raise problem


def run_evaluate(job: EvaluationJob) -> dict[str, Report]:
    """Link the gold mentions of files and say how many are right."""
    from biolink.baselines import by_names, exact, predicted, tfidf
    from biolink.finetune.samples import named_mentions

    if job.protocol not in ("strict", "biosyn"):
        raise ConfigError(f"protocol is strict or biosyn, not {job.protocol!r}")
    if job.protocol == "biosyn" and not job.train:
        raise ConfigError("protocol biosyn needs --train: their mentions are names in it")
    for file in job.output:
        if Path(file).suffix not in _SUFFIXES:
            raise ConfigError(f"-o {file}: expected a name that ends in .json, .md or .html")
    # All that is returned shows what a perfect order would reach; generation returns a beam.
    top_k = 5 if job.method == "generate" else 100
    linker = loaded_for_given(LinkSettings(job.kb, job.model, job.method, top_k))
    gold = list(read_all(job.files, job.format, _raise))
    training = list(read_all(job.train, job.format, _raise))
    if job.protocol == "biosyn":
        linker = linker.with_kb(linker.kb.with_names(named_mentions(training)))
    provenance = _provenance(job, linker)

    def report(linked: Iterable[Document]) -> Report:
        return evaluate(
            linked,
            linker.kb,
            job.seed,
            training=training,
            protocol=job.protocol,
            provenance=provenance,
        )

    with progress("linking", "documents") as advance:

        def linked() -> Iterator[Document]:
            for number, document in enumerate(linker.pipe(gold, recognise=False), 1):
                advance(number, len(gold))
                yield document

        reports = {f"biolink ({linker.options.method})": report(linked())}
    if job.baselines:
        reports["exact match"] = report(by_names(gold, linker, exact))
        reports["TF-IDF"] = report(by_names(gold, linker, tfidf))
    for file in job.predictions:
        other = read_all((file,), None, _raise)
        reports[Path(file).name] = report(
            predicted(gold, other, lambda i: linker.kb.resolve(i) or i)
        )
    first = next(iter(reports))
    comparisons = [
        (first, name, compare(reports[first], other))
        for name, other in reports.items()
        if name != first
    ]
    _publish(reports, comparisons, job.output, job.json)
    return reports


def _publish(
    reports: dict[str, Report],
    comparisons: Sequence[tuple[str, str, Comparison]],
    output: Sequence[str],
    json: bool,
) -> None:
    from biolink.report import to_html, to_markdown

    main = next(iter(reports.values()))
    for file in output:
        suffix = Path(file).suffix
        text = (
            main.to_json()
            if suffix == ".json"
            else to_html(reports, comparisons)
            if suffix == ".html"
            else to_markdown(reports, comparisons)
        )
        with replace_file(file) as stream:
            stream.write(text)
        message(f"wrote {file}")
    if json:
        stdout().print(main.to_json(), markup=False, soft_wrap=True)
    elif not output:
        stdout().print(to_markdown(reports, comparisons), markup=False, soft_wrap=True)


def _provenance(job: EvaluationJob, linker: Any) -> dict[str, Any]:
    import platform

    import torch
    import transformers

    from biolink import __version__

    files = [file for file in (*job.files, *job.train, *job.predictions) if Path(file).is_file()]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "biolink": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "model": job.model or "embedded default",
        "weights": linker.model.weights_fingerprint[:16],
        "knowledge base": job.kb or "embedded default",
        "concepts": len(linker.kb),
        "names": linker.kb.name_count,
        "fingerprint": linker.kb.fingerprint[:16],
        "method": linker.options.method,
        "abbreviations": linker.options.abbreviations,
        "protocol": job.protocol,
        "seed": job.seed,
        **{f"sha256 of {Path(file).name}": sha256_of(file) for file in files},
    }


def run_compare(first: Path, second: Path, output: Sequence[str]) -> Comparison:
    """Paired comparison of two reports that ``biolink evaluate -o NAME.json`` wrote."""

    def read(file: Path) -> Report:
        try:
            return Report.from_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = str(error).splitlines()[0]
            raise InputError(str(file), None, what, "a report of biolink evaluate") from None

    one, other = (
        (first.stem, second.stem) if first.stem != second.stem else (f"1 {first}", f"2 {second}")
    )
    reports = {one: read(first), other: read(second)}
    found = compare(reports[one], reports[other])
    if not found.mentions:
        raise ConfigError(f"{first} and {second} have no mention in common")
    _publish(reports, [(one, other, found)], output, False)
    return found
