"""Text: sentences to spans."""

from tidegate.text.tagger import Tagger

__all__ = ["Tagger"]
