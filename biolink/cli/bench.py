"""``biolink bench``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from biolink.bench.partial_kb import Setup
    from biolink.bench.scoring import Part
    from biolink.documents import Document
    from biolink.kb import KnowledgeBase

bench_app = typer.Typer(help="Benchmarks of whole systems.", no_args_is_help=True)

#: The embedded default, where a model folder is asked for.
DEFAULT = "default"

Ids = Annotated[
    Path, typer.Option(help="Identifiers of the part, one a line; gzip and xz included.")
]
Kb = Annotated[str | None, typer.Option(help="Training knowledge base; the embedded one.")]
Name = Annotated[str, typer.Option(help="Of the part, for tables.")]


def _identifiers(file: Path) -> list[str]:
    from biolink.errors import InputError
    from biolink.kb.files import numbered_lines

    found = []
    for number, line in numbered_lines(file):
        identifier = line.strip()
        if len(identifier.split()) > 1:
            raise InputError(str(file), number, identifier[:60], "one identifier a line")
        if identifier:
            found.append(identifier)
    if not found:
        raise InputError(str(file), None, "no identifiers", "one a line")
    return found


def _knowledge_base(kb: str | None) -> KnowledgeBase:
    from biolink.kb import KnowledgeBase
    from biolink.pipeline import EMBEDDED

    return KnowledgeBase.open(EMBEDDED / "kb") if kb is None else KnowledgeBase.read(kb)


def _documents(files: Iterable[str]) -> list[Document]:
    from biolink.cli.evaluate import _raise
    from biolink.cli.inputs import read_all

    return list(read_all(files, None, _raise))


def _apart(documents: list[Document], others: list[Document]) -> list[Document]:
    """The documents that share neither id nor first line with the others."""
    from biolink.cli.console import message

    def title(document: Document) -> str:
        return "".join(filter(str.isalnum, document.text.partition("\n")[0].lower()))

    ids, titles = {d.id for d in others}, {title(d) for d in others}
    kept = [d for d in documents if d.id not in ids and title(d) not in titles]
    if len(kept) < len(documents):
        message(
            f"biolink: {len(documents) - len(kept)} development document(s) left out: they share "
            "id or first line with a test document"
        )
    return kept


def _parts(name: str, kb: KnowledgeBase, ids: Path) -> tuple[Part, Part]:
    from biolink.bench.scoring import Part
    from biolink.errors import ConfigError

    part, complement = Part.of(name, kb, _identifiers(ids))
    for one in (part, complement):
        if not len(one.kb):
            raise ConfigError(f"{ids}: {one.name} has no concept of the knowledge base")
    return part, complement


def _is_split(folder: Path) -> bool:
    from biolink.kb.files import holds_only
    from biolink.kb.store import is_store

    parts = ("part", "complement")
    names = [f"{part}{suffix}" for part in parts for suffix in (".jsonl", ".kb")]
    stores = [folder / f"{part}.kb" for part in parts if (folder / f"{part}.kb").exists()]
    return holds_only(folder, names) and all(map(is_store, stores))


@bench_app.command()
def split(
    files: Annotated[list[str], typer.Argument(help="Annotated documents.")],
    ids: Ids,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder for part.jsonl, part.kb, complement.jsonl ..."),
    ],
    kb: Kb = None,
) -> None:
    """A part alone, and its complement, to train on: annotations and knowledge base."""
    from dataclasses import replace

    from biolink.cli.console import message
    from biolink.formats import write
    from biolink.kb.files import check_folder_target

    check_folder_target(output, _is_split, "a split of an earlier run")
    documents = _documents(files)
    for part, file in zip(
        _parts("part", _knowledge_base(kb), ids), ("part", "complement"), strict=True
    ):
        chosen = []
        for document in documents:
            mentions = (
                replace(m, concept_ids=tuple(i for i in m.concept_ids if part.holds(i)))
                for m in document.mentions
            )
            chosen.append(document.with_mentions(m for m in mentions if m.concept_ids))
        output.mkdir(parents=True, exist_ok=True)
        write(chosen, str(output / f"{file}.jsonl"))
        part.kb.save(output / f"{file}.kb")
        count = sum(len(document.mentions) for document in chosen)
        message(f"wrote {output / file}.jsonl: {count} annotations, and {file}.kb")


@bench_app.command()
def partial_kb(
    test: Annotated[list[str], typer.Option(help="Test documents; may be repeated.")],
    dev: Annotated[list[str], typer.Option(help="Development documents; may be repeated.")],
    ids: Ids,
    work: Annotated[Path, typer.Option(help="Folder of the predictions, kept for the next run.")],
    kb: Kb = None,
    name: Name = "part",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Systems: folders of linking models (with recogniser), end-to-end or "
            "retrieve-read models; 'default' is the embedded one. May be repeated."
        ),
    ] = None,
    dev_model: Annotated[
        list[str] | None,
        typer.Option(help="What predicts development documents in place of --model."),
    ] = None,
    part_model: Annotated[
        list[str] | None, typer.Option(help="Trained on the part's annotations alone.")
    ] = None,
    complement_model: Annotated[
        list[str] | None, typer.Option(help="Trained on the complement's annotations alone.")
    ] = None,
    dev_limit: Annotated[
        int | None, typer.Option(help="Tune on so many development documents at the most.")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("-o", "--output", help=".md, .json or .html to write; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
) -> None:
    """Inference on a part of the training knowledge base, in every setting (BioNLP 2023)."""
    from biolink.bench.partial_kb import Corpus, run_benchmark
    from biolink.bench.report import is_published_test, to_html, to_json, to_markdown
    from biolink.bench.scoring import Part
    from biolink.cli.console import progress
    from biolink.errors import ConfigError
    from biolink.kb.files import replace_file

    outputs = [Path(file) for file in output or ()]
    for file in outputs:
        if file.suffix not in (".md", ".json", ".html"):
            raise ConfigError(f"-o {file}: expected a name that ends in .md, .json or .html")
    base = _knowledge_base(kb)
    part, complement = _parts(name, base, ids)
    whole = Part("whole", base)
    tested = _documents(test)
    corpus = Corpus(_apart(_documents(dev), tested)[:dev_limit], tested)
    if not corpus.development or not corpus.test:
        raise ConfigError("--dev and --test need documents, --dev such as are not in --test")
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
    for file in outputs:
        with replace_file(file) as stream:
            if file.suffix == ".md":
                stream.write(markdown)
            elif file.suffix == ".json":
                stream.write(to_json(results, comparable, provenance))
            else:
                stream.write(to_html(results, parts, comparable))
    typer.echo(markdown)


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
    """Systems with what stands in for them; a model's task says which belong together."""
    from biolink.bench.partial_kb import Setup
    from biolink.errors import ConfigError
    from biolink.pipeline import AnyLinker, load

    def loaded(names: Iterable[str]) -> dict[str, AnyLinker]:
        found: dict[str, AnyLinker] = {}
        for name in names:
            linker = load(None if name == DEFAULT else name, kb)
            if linker.paradigm in found:
                raise ConfigError(f"{name}: there is another model for {linker.paradigm} already")
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
