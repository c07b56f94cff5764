"""The front door: the embedded default, and linkers from models and knowledge bases."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.decide.calibration import Calibration
from biolink.infer.decide.nil import NilPolicy
from biolink.infer.decide.written import policy_from, policy_of
from biolink.infer.linkers.end_to_end import EndToEndLinker, EndToEndOptions
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker, Recogniser
from biolink.infer.linkers.name_linker import NameLinker, NameOptions
from biolink.infer.linkers.retrieve_read import RetrieveReadLinker, RetrieveReadOptions
from biolink.infer.mentions.adapters import recogniser_written
from biolink.infer.mentions.open_recogniser import OpenRecogniser, ordinary_words
from biolink.infer.mentions.recognise import DictionaryRecogniser, TrainedRecogniser
from biolink.infer.mentions.shared_reader import SharedReader
from biolink.infer.mentions.tagger import Tagger
from biolink.infer.names.ranker import NameRanker
from biolink.infer.network.devices import check_device
from biolink.infer.network.model import LinkingModel, load_model
from biolink.infer.network.precision import Precision, in_precision
from biolink.infer.rank.task import LinkerOptions
from biolink.infer.remembered.decisions import Remembered
from biolink.kb import KnowledgeBase
from biolink.kb.arguments import need_callable, need_flag, need_path, options_of
from biolink.kb.model_files import (
    CALIBRATION,
    REMEMBERED,
    SETTINGS,
    STOP_NAMES,
    TAGGER,
    WEIGHTS,
    damaged,
    has_file,
    stop_names_of,
)
from biolink.kb.model_folder import END_TO_END, RETRIEVE_READ, digest_of
from biolink.kb.types import KINDS, type_name
from biolink.kinds import (
    MAIN_KINDS,
    NAMED_KINDS,
    chosen_kinds,
    chosen_taxa,
    embedded_base,
)
from biolink.places import EMBEDDED

__all__ = ["EMBEDDED", "AnyLinker", "default_linker", "is_embedded", "link", "load"]

T = TypeVar("T")

#: What :func:`load` gives: it follows what the model was trained for.
AnyLinker = Linker | KindsLinker | EndToEndLinker | RetrieveReadLinker

#: Task of a model that finds mentions as well -> its linker and the linker's options.
_FINDERS: dict[str, tuple[type[EndToEndLinker | RetrieveReadLinker], type]] = {
    END_TO_END: (EndToEndLinker, EndToEndOptions),
    RETRIEVE_READ: (RetrieveReadLinker, RetrieveReadOptions),
}


def load(
    model: str | Path | None = None,
    kb: str | Path | KnowledgeBase | None = None,
    nil: NilPolicy | str | float | None = None,
    recogniser: Recogniser | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    device: str = "cpu",
    calibration: Calibration | str | Path | None = None,
    precision: Precision = "fp32",
    types: str | Iterable[str] | None = None,
    branch: str | Iterable[str] | None = None,
    taxa: str | Iterable[str] | None = None,
    nested: bool = False,
    **options: Any,
) -> AnyLinker:
    """Load a linker; without arguments the embedded default, which works offline.

    The embedded default finds diseases, chemicals, genes, species, cell lines and sequence
    variants, and links all of these except variants. Each kind has a knowledge base of its own, but
    diseases and chemicals have one together. With ``kb``, ``model`` or ``branch``, only the
    concepts of that one knowledge base are linked to.

    Parameters
    ----------
    model
        A model folder, or the name on the hub of a model that is in the local cache. Default: the
        embedded model. If the model was trained to find mentions as well (end-to-end generation,
        or retrieval and reading), so does the linker. If it is the embedded model that has learnt
        corrections (``biolink learn``), it is loaded as the embedded default with these.
    kb
        A knowledge base, or the path of one that is stored or can be read. Default: the embedded
        knowledge base.
    nil
        The policy that decides which mentions get no link, or the same in the notation of the
        option ``--nil`` (``"threshold=0.5+post-pruning"``), or a number, which is a threshold.
        Default: the policy in the model's ``biolink.json``
        (:func:`biolink.infer.decide.written.policy_values`). If the model has none, a given mention
        is always linked, and a mention that was found is linked unless NIL is likelier than every
        concept (:class:`biolink.Likelier`).
    recogniser
        A function from document to document that finds mentions in plain text, or a recogniser in
        the notation of the option ``--recogniser`` (``"spacy:NAME"``). Default: for the embedded
        knowledge base the recogniser that was trained with the embedded model, and for any other
        one that finds its names in any form and further concepts
        (:class:`biolink.infer.mentions.open_recogniser.OpenRecogniser`).
    progress
        A function that is called while indexes for a new knowledge base are built: with a phrase
        for what is built, the number done and the number of all. Default: a terminal shows a
        progress bar.
    device
        The device on which the model runs, as torch names it.
    calibration
        The calibration of the probabilities, or the file to which ``biolink calibrate`` wrote one.
        Default: the model's ``calibration.json``, if it has one.
    precision
        The precision of the weights: ``fp32``, ``int8`` (faster on a CPU) or ``bf16`` (meant for a
        GPU). ``benchmarks/decoding.py`` measures their cost in accuracy.
    types
        The semantic types of the mentions that are found and linked. The embedded default has the
        kinds :data:`biolink.kb.types.KINDS`; the knowledge bases of other kinds than those that are
        wanted are not opened. With a knowledge base of your own, the types are those of its
        concepts (:meth:`biolink.KnowledgeBase.subset`). Default: all.
    branch
        The ids of concepts; mentions may be linked to these and to all concepts below them in the
        hierarchy (:meth:`biolink.KnowledgeBase.subset`). In the embedded default these are diseases
        or chemicals, and no other kinds are then linked. Default: all.
    taxa
        NCBI Taxonomy ids of the species to whose genes mentions may be linked, the preferred one
        first: it is the species where a text names none. They may have the prefix ``NCBITaxon:``,
        and a single string may have several, separated by commas. Default: all species of the
        embedded default, human first.
    nested
        Keep mentions that lie within others or overlap them, too. Default: False, which keeps the
        longest.
    options
        Options of the linker: the fields of :class:`biolink.LinkerOptions`, or, for a model that
        finds mentions, those of :class:`biolink.infer.linkers.end_to_end.EndToEndOptions` or
        :class:`biolink.infer.linkers.retrieve_read.RetrieveReadOptions`.

    Examples
    --------
    >>> import biolink
    >>> linker = biolink.load(types="Chemical", nil=0.5)
    >>> [(m.text, m.best.curie) for m in linker("Aspirin helps.").mentions]
    [('Aspirin', 'mesh:D001241')]

    Raises
    ------
    BiolinkError
        When the model or the knowledge base cannot be used, or an argument is not valid.
    """
    # Long because each argument is checked.
    check_device(device)
    nil = policy_of(nil)
    if isinstance(recogniser, str):
        recogniser = recogniser_written(recogniser, device)
    else:
        expected = "a function from document to document, or a text such as 'spacy:NAME'"
        need_callable("recogniser", recogniser, expected)
    need_callable("progress", progress, "a function of what, how many and of how many")
    need_flag("nested", nested)
    if nested and recogniser is not None:
        raise ConfigError("nested=True is for the default recogniser; expected it without another")
    if calibration is not None and not isinstance(calibration, Calibration):
        calibration = need_path(calibration, "a calibration or its file")
    if model is not None:
        model = need_path(model, "the path of a model folder")
    kinds: tuple[str, ...] = MAIN_KINDS
    some_kinds = False
    default = model is None or is_embedded(Path(model))
    if kb is None and default:
        some_kinds = types is not None and branch is None
        kinds, types = _kinds(types, branch)
    others = [kind for kind in kinds if kind not in MAIN_KINDS]
    named = _name_options(taxa, options, "Gene" in others)
    kb = _part(_knowledge_base(kb), types, branch)
    loaded = load_model(EMBEDDED / "model" if model is None else model, device, light=True)
    settings = loaded.settings
    if nil is None and settings.nil is not None:
        nil = policy_from(settings.nil)
    if settings.task is None:
        if recogniser is None:
            recogniser = _recogniser_of(loaded, kb, precision, nested)
        linker = _mention_linker(
            loaded, kb, nil, recogniser, progress, calibration, precision, options, default
        )
        # Given mentions of kinds that are not wanted are not linked either.
        return _with_kinds(linker, kinds, named) if others or some_kinds else linker
    if recogniser is not None or calibration is not None or nested:
        raise ConfigError(
            "this model finds its own mentions: it takes no recogniser, no calibration and no "
            "nested=True"
        )
    cls, options_class = _FINDERS[settings.task]
    chosen: Any = _options(options_class, loaded, options)
    return cls.from_model(loaded, kb, chosen, nil, progress, precision)


def is_embedded(model: Path) -> bool:
    """Whether a folder has the embedded model, with the corrections that it has learnt."""
    if model == EMBEDDED / "model":
        return True
    if not has_file(model / REMEMBERED) or not has_file(model / WEIGHTS):
        return False
    return digest_of(model, WEIGHTS) == digest_of(EMBEDDED / "model", WEIGHTS)


def _kinds(
    types: str | Iterable[str] | None, branch: str | Iterable[str] | None
) -> tuple[tuple[str, ...], list[str] | None]:
    """The kinds of the embedded default, and the types of the part of its main knowledge base."""
    kinds = chosen_kinds(types)
    in_main = [kind for kind in kinds if kind in MAIN_KINDS]
    if branch is not None:
        others = [kind for kind in kinds if kind not in MAIN_KINDS]
        if types is not None and others:
            raise ConfigError(
                f"branch limits diseases and chemicals, and no other kind is linked with it; "
                f"expected types without {', '.join(others)}"
            )
        kinds = MAIN_KINDS
    return kinds, None if len(in_main) in (0, len(MAIN_KINDS)) else in_main


def _part(
    kb: KnowledgeBase, types: str | Iterable[str] | None, branch: str | Iterable[str] | None
) -> KnowledgeBase:
    """The part of a base that is linked to, or the base itself."""
    if types is None and branch is None:
        return kb
    try:
        return kb.subset(types=types, branch=branch)
    except ConfigError as error:
        if branch is None or kb.base.path != EMBEDDED / "kb":
            raise
        raise ConfigError(f"{error}; branch limits diseases and chemicals only") from None


def _mention_linker(
    loaded: LinkingModel,
    kb: KnowledgeBase,
    nil: NilPolicy | None,
    recogniser: Recogniser | None,
    progress: Callable[[str, int, int], None] | None,
    calibration: Calibration | str | Path | None,
    precision: Precision,
    options: dict[str, Any],
    default: bool,
) -> Linker:
    """The linker of a model that links given mentions, with what finds mentions for it."""
    method = loaded.settings.linker.get("method") or ("combined" if loaded.ranker else "generate")
    chosen = _options(LinkerOptions, loaded, {"method": method, **options})
    beside = None if loaded.folder is None else loaded.folder / CALIBRATION
    if calibration is None and beside is not None and has_file(beside):
        calibration = beside
    if calibration is not None and not isinstance(calibration, Calibration):
        calibration = Calibration.read(calibration)
    loaded = loaded.in_precision(precision)
    remembered = Remembered.read(loaded.folder)
    linker = Linker(loaded, kb, chosen, nil, recogniser, progress, calibration, remembered)
    if default and kb.base.path != EMBEDDED / "kb":
        # Names that the embedded base has need no embedding again.
        embedded = Linker(loaded, KnowledgeBase.open(EMBEDDED / "kb"), chosen, progress=progress)
        return embedded.with_kb(kb).with_settings(
            nil=nil, recogniser=recogniser, calibration=calibration, remembered=remembered
        )
    return linker


def _name_options(
    taxa: str | Iterable[str] | None, options: dict[str, Any], genes: bool
) -> NameOptions:
    """The options of the linkers of genes, species and cell lines."""
    given: dict[str, Any] = {k: options[k] for k in ("top_k", "abbreviations") if k in options}
    if taxa is not None:
        if not genes:
            raise ConfigError(
                "taxa chooses species among the genes of the embedded default, which are not "
                "linked here"
            )
        given["taxa"] = chosen_taxa(taxa)
    return options_of(NameOptions, given)


def _with_kinds(main: Linker, kinds: Sequence[str], options: NameOptions) -> KindsLinker:
    """The embedded default for some kinds of entities."""
    folder = EMBEDDED / "kinds"
    others, dictionaries = [], []
    for kind, name in NAMED_KINDS.items():
        if kind in kinds:
            kb = embedded_base(kind)
            ranker = NameRanker.load(folder / f"{name}.json")
            own = options if kind == "Gene" else replace(options, taxa=())
            others.append(NameLinker(kb, ranker, own, main.nil))
            stops = stop_names_of(folder, f"{name}_{STOP_NAMES}")
            dictionaries.append(DictionaryRecogniser(kb, stops))
    recogniser = main.recogniser
    if isinstance(recogniser, TrainedRecogniser):
        known = recogniser.reader
        reader = SharedReader(known.tagger, known.tokenizer, (*known.dictionaries, *dictionaries))
        recogniser = TrainedRecogniser(
            reader,
            recogniser.dictionary,
            recogniser.kb,
            dictionaries,
            kinds,
            recogniser.nested,
        )
        main = main.read_by(reader)
    remembered = main.remembered
    return KindsLinker(main.with_settings(remembered=None), others, recogniser, kinds, remembered)


def _recogniser_of(
    loaded: LinkingModel, kb: KnowledgeBase, precision: Precision, nested: bool
) -> TrainedRecogniser | OpenRecogniser:
    """The recogniser that was trained for a knowledge base, or one for any base."""
    stop_names = stop_names_of(loaded.folder)
    dictionary = DictionaryRecogniser(kb, ordinary_words(stop_names), nested=nested)
    file = None if loaded.folder is None else loaded.folder / TAGGER
    if file is not None and has_file(file):
        tagger = Tagger.load(file, loaded.backbone.model, of_folder=True)
        tagger = in_precision(tagger, precision)
        # It knows the names of one knowledge base; the embedded one's says no fingerprint.
        if tagger.kb == kb.base.fingerprint or (
            tagger.kb is None and kb.base.path == EMBEDDED / "kb"
        ):
            whole = DictionaryRecogniser(kb.base, stop_names)
            linked = {type_name(kind) for kind in kb.base.types}
            # A mention of one of biolink's kinds is wanted only if something can be linked to it.
            types = [
                k for k in tagger.types if not linked or k not in KINDS or type_name(k) in linked
            ]
            reader = SharedReader(tagger, loaded.tokenizer, [whole])
            return TrainedRecogniser(reader, whole, kb, types=types, nested=nested)
        return OpenRecogniser(dictionary, SharedReader(tagger, loaded.tokenizer))
    return OpenRecogniser(dictionary)


def _knowledge_base(kb: str | Path | KnowledgeBase | None) -> KnowledgeBase:
    """A base in whatever form it is given."""
    if kb is None:
        return KnowledgeBase.open(EMBEDDED / "kb")
    if isinstance(kb, KnowledgeBase):
        return kb
    return KnowledgeBase.read(
        need_path(kb, "a KnowledgeBase, or the path of a stored or readable one")
    )


def _options(cls: type[T], loaded: LinkingModel, given: dict[str, Any]) -> T:
    """Options of a linker: what is given before what the model says."""
    stored = loaded.settings.linker
    try:
        options_of(cls, stored)
    except ConfigError as error:
        raise damaged((loaded.folder or Path()) / SETTINGS, f"linker: {error}") from None
    unknown = given.keys() - {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if unknown:
        known = [*inspect.signature(load).parameters, *(f.name for f in fields(cls))]  # type: ignore[arg-type]
        known.remove("options")
        raise ConfigError(
            f"load has unknown options {sorted(unknown)}; expected some of {', '.join(known)}"
        )
    return options_of(cls, {**stored, **given})


@lru_cache(maxsize=1)
def default_linker() -> AnyLinker:
    """Return the embedded default, which is loaded once."""
    return load()


def link(text: str, **options: Any) -> Document:
    """Link one text with the embedded default, which is loaded once.

    Parameters
    ----------
    text
        The text.
    options
        There are none: a linker with options is loaded once, by :func:`load`.

    Raises
    ------
    ConfigError
        If options are given.

    >>> import biolink
    >>> biolink.link("Aspirin for asthma.").mentions[1].best.preferred_name
    'Asthma'
    """
    if options:
        raise ConfigError(
            f"link was given {', '.join(options)}, but it takes a text alone; expected a linker "
            "with options, linker = biolink.load(...), and then linker(text)"
        )
    return default_linker()(text)
