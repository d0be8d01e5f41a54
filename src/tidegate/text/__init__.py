"""Text: what a text is, and spans in sentences."""

from tidegate.text.classifier import TextClassifier
from tidegate.text.tagger import Tagger

__all__ = ["Tagger", "TextClassifier"]
