"""``biolink evaluate`` and ``biolink compare``."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biolink.cli.console import message, progress, reported, stdout
from biolink.cli.inputs import read_all, some_documents
from biolink.cli.link import loaded, loaded_for_given
from biolink.cli.outputs import check_outputs, write_reports
from biolink.documents import Document
from biolink.errors import BiolinkError, ConfigError, InputError
from biolink.evaluation import Comparison, Report, compare, evaluate
from biolink.evaluation.choosing import Chosen
from biolink.evaluation.found import FoundReport, evaluate_found
from biolink.kb.files import sha256_of
from biolink.kb.parts import known_values
from biolink.kb.types import KINDS, kind_of
from biolink.kinds import MAIN_KINDS, chosen_kinds, need_main_kinds
from biolink.scale.blocks import LinkSettings

if TYPE_CHECKING:
    from biolink.pipeline import AnyLinker

__all__ = [
    "EvaluationJob",
    "EvaluationOutcome",
    "chosen_by",
    "provenance_of",
    "run_compare",
    "run_evaluate",
    "warn_of_seen",
]

_SUFFIXES = (".json", ".md", ".html")

#: Name of a file -> the documents of another system.
Predictions = dict[str, list[Document]]


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """The options of ``biolink evaluate``.

    Attributes
    ----------
    files, kb, model, format, method, types, taxa, branch, nested
        As for ``biolink link``. Mentions of other types than ``types`` are left out on all sides:
        of the annotations, of what is found, and of predictions. With the embedded default, the
        types are those that are annotated, unless ``types`` says otherwise.
    mentions
        ``given``: gold mentions are linked. ``find``: mentions are found and linked, end to end.
    train
        Documents on which the linker was trained. They decide which mentions count as seen, and
        under ``biosyn`` their mentions are names.
    protocol
        ``strict`` or ``biosyn``.
    baselines
        Whether exact match and TF-IDF are measured as well.
    predictions
        Files with the output of other systems, each of which is measured as well.
    output
        Files to write; ``.json``, ``.md`` or ``.html``.
    json
        Whether the report is printed as JSON.
    seed
        Seed of the bootstrap.
    """

    files: tuple[str, ...]
    kb: str | None = None
    model: str | None = None
    format: str | None = None
    method: str | None = None
    types: str | None = None
    taxa: str | None = None
    branch: str | None = None
    nested: bool = False
    mentions: str = "given"
    train: tuple[str, ...] = ()
    protocol: str = "strict"
    baselines: bool = False
    predictions: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    json: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationOutcome:
    """System -> report, and the problems of reading and writing."""

    reports: dict[str, Report] | dict[str, FoundReport]
    problems: list[BiolinkError] = field(default_factory=list)


def run_evaluate(job: EvaluationJob) -> EvaluationOutcome:
    """Link the mentions of annotated files, or find them, and measure the links."""
    _check(job)
    problems: list[BiolinkError] = []
    with reported(problems):
        gold = list(some_documents(read_all(job.files, job.format, problems.append), problems))
        if not any(mention.concept_ids for document in gold for mention in document.mentions):
            raise ConfigError(
                f"no mention of {', '.join(job.files)} has a gold concept id; expected annotated "
                "documents (PubTator, BioC, JSON Lines)"
            )
        predictions = _predictions(job, gold, problems)
        if job.mentions == "find":
            return _found(job, gold, predictions, problems)
        return _given(job, gold, predictions, problems)


def _check(job: EvaluationJob) -> None:
    """Find mistakes in the options before anything is loaded."""
    if job.mentions not in ("given", "find"):
        raise ConfigError(f"--mentions is {job.mentions!r}; expected given or find")
    if job.protocol not in ("strict", "biosyn"):
        raise ConfigError(f"--protocol is {job.protocol!r}; expected strict or biosyn")
    if job.protocol == "biosyn" and not job.train:
        raise ConfigError("--protocol biosyn needs --train, whose mentions it adds as names")
    if job.mentions == "find" and job.baselines:
        raise ConfigError(
            "--baselines goes with given mentions only; expected --mentions given, or --predictions"
        )
    if job.nested and job.mentions != "find":
        raise ConfigError("--nested goes with mentions that are found; expected --mentions find")
    if job.branch is not None and job.mentions == "find":
        raise ConfigError(
            "--branch goes with given mentions; biolink bench partial-kb measures a part of a "
            "knowledge base end to end"
        )
    pictured = () if job.mentions == "find" else (".html",)
    inputs = (*job.files, *job.train, *job.predictions)
    check_outputs(job.output, _SUFFIXES, inputs, pictured)
    for file in (*job.train, *job.predictions):
        if not Path(file).exists():
            raise InputError(file, None, "no such file", "a file of documents")


def _predictions(
    job: EvaluationJob, gold: Sequence[Document], problems: list[BiolinkError]
) -> Predictions:
    """The documents of other systems, which are read and checked before anything is linked."""
    from biolink.evaluation.baselines import need_common, with_own_ids

    if not job.predictions:
        return {}
    annotated = list(with_own_ids(gold, "annotated"))
    predictions: Predictions = {}
    for file in job.predictions:
        read = list(with_own_ids(read_all((file,), None, problems.append), "predicted"))
        need_common(annotated, read, f"--predictions {file}")
        predictions[Path(file).name] = read
    return predictions


def _found(
    job: EvaluationJob,
    gold: list[Document],
    predictions: Predictions,
    problems: list[BiolinkError],
) -> EvaluationOutcome:
    """Find the mentions, link them, and compare both with the annotations."""
    from biolink.evaluation.report import found_to_html, found_to_markdown
    from biolink.finetune.samples import named_mentions

    settings = _settings(job, gold)
    linker = loaded(settings)
    warn_of_seen(linker, gold)
    chosen = chosen_by(settings, linker)
    gold = _of_types(job, gold, chosen)
    if job.protocol == "biosyn":
        training = list(read_all(job.train, job.format, problems.append))
        linker = linker.with_kb(linker.kb.with_names(named_mentions(training)))
    provenance = provenance_of(job, linker, chosen)
    systems: dict[str, Iterable[Document]] = {
        f"biolink ({getattr(linker.options, 'method', 'end to end')})": _linking(
            linker, [document.with_mentions(()) for document in gold], True
        )
    }
    for name, other in predictions.items():
        systems[name] = _predicted(other, gold)
    reports = {
        name: evaluate_found(
            gold,
            documents if chosen is None else chosen(documents),
            linker.bases,
            job.seed,
            provenance=provenance,
        )
        for name, documents in systems.items()
    }
    problems += _publish(
        next(iter(reports.values())),
        lambda: found_to_markdown(reports),
        lambda: found_to_html(reports),
        job.output,
        job.json,
    )
    return EvaluationOutcome(reports, problems)


def _settings(
    job: EvaluationJob, gold: Sequence[Document], top_k: int | None = None
) -> LinkSettings:
    """The settings of the linker that is measured."""
    return LinkSettings(
        job.kb, job.model, job.method, top_k, types=_types(job, gold), taxa=job.taxa,
        branch=job.branch, nested=job.nested,
    )  # fmt: skip


def chosen_by(settings: LinkSettings, linker: AnyLinker) -> Chosen | None:
    """The choice of the mentions that are measured, or None if all are.

    Parameters
    ----------
    settings
        The settings, with the types that are wanted.
    linker
        The linker that was loaded with them.
    """
    if settings.kb is None and settings.model is None and settings.branch is None:
        return Chosen.of(chosen_kinds(settings.types), linker.kb)
    if settings.types is None:
        return None
    types = known_values("types", settings.types, linker.kb.base.every_type)
    return Chosen.of(types, linker.kb)


def _of_types(job: EvaluationJob, gold: list[Document], chosen: Chosen | None) -> list[Document]:
    """The annotated documents with the mentions that are measured."""
    if chosen is None:
        return gold
    gold = list(chosen(gold))
    if not any(document.mentions for document in gold):
        raise ConfigError(
            f"no mention of {', '.join(job.files)} has one of the types "
            f"{', '.join(chosen.written)}; expected other --types"
        )
    return gold


def _types(job: EvaluationJob, gold: Sequence[Document]) -> str | None:
    """The types of mentions to find or to link.

    Corpora annotate some kinds of entities only, and a mention of another kind is no error.
    """
    if job.branch is not None and job.types is None and job.kb is None and job.model is None:
        return ",".join(MAIN_KINDS)
    if job.branch is not None or job.kb is not None or job.model is not None:
        return job.types
    if job.protocol == "biosyn":
        need_main_kinds(job.types, "to which --protocol biosyn can add names")
    if job.types is not None:
        return job.types
    annotated = {kind_of(m.type) for document in gold for m in document.mentions}
    linked = MAIN_KINDS if job.protocol == "biosyn" else KINDS
    return ",".join([kind for kind in linked if kind in annotated] or MAIN_KINDS)


def _predicted(other: Sequence[Document], gold: Sequence[Document]) -> list[Document]:
    """The gold documents as another system predicts them; a missing one has no mentions."""
    from biolink.evaluation.baselines import linked_as_written

    by_id = {document.id: document for document in map(linked_as_written, other)}
    return [by_id.get(document.id, document.with_mentions(())) for document in gold]


def _linking(
    linker: AnyLinker, documents: Sequence[Document], recognise: bool
) -> Iterator[Document]:
    """The linked documents, with progress."""
    with progress("linking", "documents") as advance:
        linked = linker.pipe(documents, recognise=recognise)
        for number, document in enumerate(linked, 1):
            advance(number, len(documents))
            yield document


def _given(
    job: EvaluationJob,
    gold: list[Document],
    predictions: Predictions,
    problems: list[BiolinkError],
) -> EvaluationOutcome:
    """Link the gold mentions and compare their concepts."""
    from biolink.evaluation.baselines import by_names, exact, predicted, tfidf
    from biolink.evaluation.report import to_html, to_markdown
    from biolink.finetune.samples import named_mentions

    # Many links are returned for the ceiling; generation returns only those of its beam.
    top_k = 5 if job.method == "generate" else 100
    settings = _settings(job, gold, top_k)
    linker = loaded_for_given(settings)
    warn_of_seen(linker, gold)
    chosen = chosen_by(settings, linker)
    gold = _of_types(job, gold, chosen)
    training = list(read_all(job.train, job.format, problems.append))
    if job.protocol == "biosyn":
        linker = linker.with_kb(linker.kb.with_names(named_mentions(training)))
    provenance = provenance_of(job, linker, chosen)

    def report(linked: Iterable[Document]) -> Report:
        return evaluate(
            linked,
            linker.bases,
            job.seed,
            training=training,
            protocol=job.protocol,
            provenance=provenance,
        )

    reports = {f"biolink ({linker.options.method})": report(_linking(linker, gold, False))}
    if job.baselines:
        reports["exact match"] = report(by_names(gold, linker, exact))
        reports["TF-IDF"] = report(by_names(gold, linker, tfidf))
    for name, other in predictions.items():
        reports[name] = report(predicted(gold, other))
    first = next(iter(reports))
    comparisons = [
        (first, name, compare(reports[first], other))
        for name, other in reports.items()
        if name != first
    ]
    problems += _publish(
        reports[first],
        lambda: to_markdown(reports, comparisons),
        lambda: to_html(reports, comparisons),
        job.output,
        job.json,
    )
    return EvaluationOutcome(reports, problems)


def warn_of_seen(linker: AnyLinker, documents: Sequence[Document]) -> int:
    """Warn of documents on which the model was trained, and return their number."""
    from biolink.infer.seen_documents import SeenDocuments

    known = SeenDocuments(linker.model.folder)
    seen = sum(document in known for document in documents)
    if seen:
        message(
            f"biolink: warning: the model was trained on {seen} of these {len(documents)} "
            "documents, so these figures are better than those for other documents"
        )
    return seen


def _publish(
    main: Report | FoundReport,
    to_markdown: Callable[[], str],
    to_html: Callable[[], str],
    output: Sequence[str],
    json: bool,
) -> list[BiolinkError]:
    """Write the reports; if one cannot be written, it is printed, so that it is not lost."""
    written = {".json": main.to_json, ".html": to_html, ".md": to_markdown}
    failed = write_reports(output, written)
    if json:
        stdout().print(main.to_json(), markup=False, soft_wrap=True)
    elif failed or not output:
        stdout().print(to_markdown(), markup=False, soft_wrap=True)
    return [error for _, error in failed]


def _knowledge_bases(linker: AnyLinker, chosen: Chosen | None) -> dict[str, Any]:
    """The sizes and fingerprints of the knowledge bases that were used."""
    bases = linker.bases.bases
    used = bases if chosen is None else chosen.bases(bases)
    figures: dict[str, Any] = {}
    for kb in used:
        kinds = "" if len(used) == 1 else f" of {', '.join(sorted(kb.types))}"
        figures |= {
            f"concepts{kinds}": len(kb),
            f"names{kinds}": kb.name_count,
            f"fingerprint{kinds}": kb.fingerprint[:16],
        }
    return figures


def provenance_of(
    job: EvaluationJob, linker: AnyLinker, chosen: Chosen | None = None
) -> dict[str, Any]:
    """Return what is measured and with what, for a report."""
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
        **_knowledge_bases(linker, chosen),
        **({} if chosen is None else {"types": ", ".join(chosen.written)}),
        **{name: value for name in ("taxa", "branch", "nested") if (value := getattr(job, name))},
        "method": getattr(linker.options, "method", "end to end"),
        "mentions": job.mentions,
        "abbreviations": getattr(linker.options, "abbreviations", "none"),
        "protocol": job.protocol,
        "seed": job.seed,
        **{f"sha256 of {Path(file).name}": sha256_of(file) for file in files},
    }


def run_compare(first: Path, second: Path, output: Sequence[str]) -> Comparison:
    """Compare two reports that ``biolink evaluate -o NAME.json`` wrote."""
    from biolink.evaluation.report import to_html, to_markdown

    check_outputs(output, (".md", ".html"), (str(first), str(second)), (".html",))

    def read(file: Path) -> Report:
        try:
            return Report.from_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = str(error).splitlines()[0]
            raise InputError(str(file), None, what, "a report of biolink evaluate") from None

    a, b = (first.stem, second.stem) if first.stem != second.stem else (f"1 {first}", f"2 {second}")
    reports = {a: read(first), b: read(second)}
    comparison = compare(reports[a], reports[b])
    if not comparison.mentions:
        raise ConfigError(f"{first} and {second} have no mention in common")
    comparisons = [(a, b, comparison)]
    for error in _publish(
        reports[a],
        lambda: to_markdown(reports, comparisons),
        lambda: to_html(reports, comparisons),
        output,
        False,
    ):
        raise error
    return comparison
