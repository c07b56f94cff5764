"""biolink: generative biomedical entity linking.

Mentions in text are linked to concepts of a knowledge base. Importing this package loads neither
torch, transformers nor spaCy; each name is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biolink.answers.linking import link_terms
    from biolink.assertion import Assertions, without
    from biolink.documents import Document, Link, Mention, Passage
    from biolink.errors import BiolinkError
    from biolink.evaluation import evaluate
    from biolink.formats import read, write
    from biolink.formats.jats_places import places_in_xml
    from biolink.frames import to_dataframe
    from biolink.html import to_html
    from biolink.infer.decide.nil import (
        AnyOf,
        Combination,
        Likelier,
        Margin,
        NoNil,
        PostPruning,
        Threshold,
    )
    from biolink.infer.linkers.kinds_linker import KindsLinker
    from biolink.infer.linkers.mention_linker import Linker
    from biolink.infer.linkers.name_linker import NameLinker
    from biolink.infer.mentions.adapters import (
        GivenMentions,
        GlinerRecogniser,
        HuggingFaceRecogniser,
        SpacyRecogniser,
    )
    from biolink.infer.mentions.recognise import DictionaryRecogniser
    from biolink.infer.rank.task import LinkerOptions
    from biolink.kb import Concept, KnowledgeBase
    from biolink.kb.bases import KnowledgeBases
    from biolink.levels import roll_up
    from biolink.pipeline import link, load

__version__ = "0.1.0"

_HOME = {
    "AnyOf": "biolink.infer.decide.nil",
    "Assertions": "biolink.assertion",
    "BiolinkError": "biolink.errors",
    "Combination": "biolink.infer.decide.nil",
    "Concept": "biolink.kb",
    "DictionaryRecogniser": "biolink.infer.mentions.recognise",
    "Document": "biolink.documents",
    "GivenMentions": "biolink.infer.mentions.adapters",
    "GlinerRecogniser": "biolink.infer.mentions.adapters",
    "HuggingFaceRecogniser": "biolink.infer.mentions.adapters",
    "KindsLinker": "biolink.infer.linkers.kinds_linker",
    "KnowledgeBase": "biolink.kb",
    "KnowledgeBases": "biolink.kb.bases",
    "Likelier": "biolink.infer.decide.nil",
    "Link": "biolink.documents",
    "Linker": "biolink.infer.linkers.mention_linker",
    "LinkerOptions": "biolink.infer.linkers.mention_linker",
    "Margin": "biolink.infer.decide.nil",
    "Mention": "biolink.documents",
    "NameLinker": "biolink.infer.linkers.name_linker",
    "NoNil": "biolink.infer.decide.nil",
    "Passage": "biolink.documents",
    "PostPruning": "biolink.infer.decide.nil",
    "SpacyRecogniser": "biolink.infer.mentions.adapters",
    "Threshold": "biolink.infer.decide.nil",
    "evaluate": "biolink.evaluation",
    "link": "biolink.pipeline",
    "link_terms": "biolink.answers.linking",
    "load": "biolink.pipeline",
    "places_in_xml": "biolink.formats.jats_places",
    "read": "biolink.formats",
    "roll_up": "biolink.levels",
    "to_dataframe": "biolink.frames",
    "to_html": "biolink.html",
    "without": "biolink.assertion",
    "write": "biolink.formats",
}

__all__ = [
    "AnyOf",
    "Assertions",
    "BiolinkError",
    "Combination",
    "Concept",
    "DictionaryRecogniser",
    "Document",
    "GivenMentions",
    "GlinerRecogniser",
    "HuggingFaceRecogniser",
    "KindsLinker",
    "KnowledgeBase",
    "KnowledgeBases",
    "Likelier",
    "Link",
    "Linker",
    "LinkerOptions",
    "Margin",
    "Mention",
    "NameLinker",
    "NoNil",
    "Passage",
    "PostPruning",
    "SpacyRecogniser",
    "Threshold",
    "__version__",
    "evaluate",
    "link",
    "link_terms",
    "load",
    "places_in_xml",
    "read",
    "roll_up",
    "to_dataframe",
    "to_html",
    "without",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'biolink' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
