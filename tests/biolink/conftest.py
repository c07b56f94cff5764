"""The tiny model and knowledge base of the linking tests."""

from tests.infer.conftest import kb, model_folder

__all__ = ["kb", "model_folder"]
