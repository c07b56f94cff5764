"""``biolink bench``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biolink.cli.bases import ids_in, opened
from biolink.cli.bench_medmentions import medmentions
from biolink.cli.options import KbOption, OutputFolder, ReportOutput, Seed, not_empty
from biolink.kb.wording import counted

if TYPE_CHECKING:
    from biolink.bench.partial_kb import Setup
    from biolink.bench.scoring import Part
    from biolink.documents import Document
    from biolink.kb import KnowledgeBase

bench_app = typer.Typer(
    help="Measure systems beside published figures: on a part of the knowledge base that they were "
    "trained with, and on MedMentions.",
    no_args_is_help=True,
)
bench_app.command()(medmentions)

#: The embedded default, where a model folder is asked for.
DEFAULT = "default"

Ids = Annotated[
    Path,
    typer.Option(
        help="A file with the ids of the part's concepts, one in each line, which gzip or xz may "
        "have compressed."
    ),
]


def _documents(files: Iterable[str]) -> list[Document]:
    from biolink.cli.inputs import raise_problem, read_all

    return list(read_all(files, None, raise_problem))


def _apart(documents: list[Document], others: list[Document]) -> list[Document]:
    """The documents that share neither id nor first line with the others."""
    from biolink.cli.console import message

    def title(document: Document) -> str:
        return "".join(filter(str.isalnum, document.text.partition("\n")[0].lower()))

    ids, titles = {d.id for d in others}, {title(d) for d in others}
    kept = [d for d in documents if d.id not in ids and title(d) not in titles]
    if len(kept) < len(documents):
        message(
            f"biolink: {counted(len(documents) - len(kept), 'development document')} left out, "
            "with the id or the first line of a test document"
        )
    return kept


def _parts(name: str, kb: KnowledgeBase, ids: Path) -> tuple[Part, Part]:
    from biolink.bench.scoring import Part
    from biolink.errors import ConfigError

    part, complement = Part.of(name, kb, ids_in(ids))
    for one in (part, complement):
        if not len(one.kb):
            raise ConfigError(
                f"{ids}: no concept of the knowledge base belongs to the {one.name}; expected "
                "ids of some of its concepts, and not of all"
            )
    return part, complement


def _foreign_in_split(folder: Path) -> list[str]:
    from biolink.kb.files import foreign_names
    from biolink.kb.store import foreign_in_store

    stores = ("part.kb", "complement.kb")
    foreign = foreign_names(folder, (*stores, "part.jsonl", "complement.jsonl"))
    return foreign + [f"{kb}/{name}" for kb in stores for name in foreign_in_store(folder / kb)]


@bench_app.command()
def split(
    files: Annotated[
        list[str], typer.Argument(help="Files of annotated documents.", callback=not_empty)
    ],
    ids: Ids,
    output: OutputFolder,
    kb: KbOption = None,
) -> None:
    """Split annotations and knowledge base into a part and its complement, to train on either.

    The folder gets part.jsonl, part.kb, complement.jsonl and complement.kb.
    """
    from dataclasses import replace

    from biolink.cli.console import message
    from biolink.cli.inputs import raise_problem
    from biolink.formats import write
    from biolink.kb.files import check_folder_target

    check_folder_target(output, _foreign_in_split, "a split of an earlier run")
    documents = _documents(files)
    for part, file in zip(
        _parts("part", opened(kb, raise_problem), ids), ("part", "complement"), strict=True
    ):
        chosen = []
        for document in documents:
            mentions = (
                replace(m, concept_ids=tuple(i for i in m.concept_ids if part.holds(i)))
                for m in document.mentions
            )
            chosen.append(document.with_mentions(m for m in mentions if m.concept_ids))
        folder = Path(output)
        folder.mkdir(parents=True, exist_ok=True)
        write(chosen, str(folder / f"{file}.jsonl"))
        part.kb.save(folder / f"{file}.kb")
        count = counted(sum(len(document.mentions) for document in chosen), "annotation")
        message(f"wrote {folder / file}.jsonl with {count}, and {file}.kb")


@bench_app.command()
def partial_kb(
    test: Annotated[
        list[str],
        typer.Option(help="A file of test documents. It may be repeated.", callback=not_empty),
    ],
    dev: Annotated[
        list[str],
        typer.Option(
            help="A file of development documents. It may be repeated.", callback=not_empty
        ),
    ],
    ids: Ids,
    work: Annotated[
        Path, typer.Option(help="The folder of the predictions, which the next run uses again.")
    ],
    kb: KbOption = None,
    name: Annotated[str, typer.Option(help="The name of the part in the tables.")] = "part",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A system: the folder of a linking model with a recogniser, of an end-to-end "
            "model or of a retrieve-read model, or default for the embedded model. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
    dev_model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that predicts the development documents in place of --model. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
    part_model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that was trained on the annotations of the part alone. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
    complement_model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that was trained on the annotations of the complement alone. It may be "
            "repeated.",
            callback=not_empty,
        ),
    ] = None,
    dev_limit: Annotated[
        int | None,
        typer.Option(
            help="The greatest number of development documents that are used. Default: all."
        ),
    ] = None,
    output: ReportOutput = None,
    seed: Seed = 0,
) -> None:
    """Measure linking to a part of the training knowledge base, in every setting (BioNLP 2023)."""
    # Long because each option is a parameter.
    from biolink.bench.partial_kb import Corpus, run_benchmark
    from biolink.bench.report import is_published_test, to_html, to_json, to_markdown
    from biolink.bench.scoring import Part
    from biolink.cli.console import progress
    from biolink.cli.inputs import raise_problem
    from biolink.cli.outputs import check_outputs, write_reports
    from biolink.errors import ConfigError

    outputs = output or []
    inputs = [*test, *dev, str(ids)]
    check_outputs(outputs, (".md", ".json", ".html"), inputs, (".html",))
    base = opened(kb, raise_problem)
    part, complement = _parts(name, base, ids)
    whole = Part("whole", base)
    tested = _documents(test)
    corpus = Corpus(_apart(_documents(dev), tested)[:dev_limit], tested)
    if not corpus.development or not corpus.test:
        raise ConfigError(
            "there are no documents in --test, or none in --dev that are not in --test as well"
        )
    setups = _setups(
        base, model or [DEFAULT], dev_model or (), {
            part.name: part_model or (), complement.name: complement_model or (),
        },
    )  # fmt: skip
    with progress("predicting", "documents") as advance:
        results = run_benchmark(
            setups,
            corpus,
            whole,
            (part, complement),
            work / "predictions",
            lambda _, done, size: advance(done, size),
            seed,
        )
    comparable = is_published_test(corpus.test)
    parts = (whole, part, complement)
    markdown = to_markdown(results, parts, comparable)
    provenance = _provenance(kb, ids, model or [DEFAULT], len(corpus.development))
    failed = write_reports(
        outputs,
        {
            ".md": lambda: markdown,
            ".json": lambda: to_json(results, comparable, provenance),
            ".html": lambda: to_html(results, parts, comparable),
        },
    )
    typer.echo(markdown)
    for _, error in failed:
        raise error


def _provenance(kb: str | None, ids: Path, models: list[str], development: int) -> dict[str, Any]:
    from datetime import date

    from biolink import __version__
    from biolink.kb.files import sha256_of

    return {
        "biolink": __version__,
        "date": date.today().isoformat(),
        "knowledge base": kb or "embedded",
        "ids": {"file": ids.name, "sha256": sha256_of(ids)},
        "models": models,
        "development documents": development,
    }


def _setups(
    kb: KnowledgeBase,
    models: Iterable[str],
    for_development: Iterable[str],
    in_part: dict[str, Iterable[str]],
) -> list[Setup]:
    """The systems with their models for parts; models with the same task belong together."""
    from biolink.bench.partial_kb import Setup
    from biolink.errors import ConfigError
    from biolink.pipeline import AnyLinker, load

    def loaded(names: Iterable[str]) -> dict[str, AnyLinker]:
        found: dict[str, AnyLinker] = {}
        for name in names:
            linker = load(None if name == DEFAULT else name, kb)
            if linker.paradigm in found:
                raise ConfigError(
                    f"{name}: a model for {linker.paradigm} is given already; expected one of each "
                    "kind"
                )
            found[linker.paradigm] = linker
        return found

    own = loaded(models)
    development = loaded(for_development)
    parts = {part: loaded(names) for part, names in in_part.items()}
    return [
        Setup(
            paradigm=kind,
            name="biolink",
            linker=linker,
            in_part={part: found[kind] for part, found in parts.items() if kind in found},
            for_development=development.get(kind),
        )
        for kind, linker in own.items()
    ]
