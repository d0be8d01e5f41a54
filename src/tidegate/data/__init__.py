"""From tables and arrays to batches. Pandas and polars are imported when a table is first read, torch never."""

from tidegate.data import datasets
from tidegate.data.arrays import sliding_windows
from tidegate.data.batches import Arrays, Batch, Batches, ContinuousBatches, IntArray, Source
from tidegate.data.bucketing import BucketedBatches, in_length_order
from tidegate.data.conll import ConllSentences, read_conll, write_conll
from tidegate.data.csvfile import read_csv
from tidegate.data.embeddings import read_embeddings
from tidegate.data.extension import extended, new_starts
from tidegate.data.features import calendar_features, fourier_features, with_time_features
from tidegate.data.frames import read_frame, to_frame
from tidegate.data.future import Future, future_known, read_future, read_future_csv
from tidegate.data.labels import Labels, MultiLabels, balanced_weights
from tidegate.data.ragged import Ragged, RaggedExamples, RaggedSource
from tidegate.data.seasonality import detect_season, seasons
from tidegate.data.sequences import (
    LabelledSeries,
    SeriesLike,
    labelled_csv,
    labelled_frame,
    labelled_table,
    series_of,
)
from tidegate.data.splits import Split, split_bounds
from tidegate.data.strata import stratified_folds, stratified_holdout
from tidegate.data.strings import pack_strings, unpack_strings
from tidegate.data.table import SeriesTable, Vocabulary, future_times
from tidegate.data.textfile import LabelledTexts, read_text_csv
from tidegate.data.tsfile import read_ts
from tidegate.data.windows import Windows

__all__ = [
    "Arrays",
    "Batch",
    "Batches",
    "BucketedBatches",
    "ConllSentences",
    "ContinuousBatches",
    "Future",
    "IntArray",
    "LabelledSeries",
    "LabelledTexts",
    "Labels",
    "MultiLabels",
    "Ragged",
    "RaggedExamples",
    "RaggedSource",
    "SeriesLike",
    "SeriesTable",
    "Source",
    "Split",
    "Vocabulary",
    "Windows",
    "balanced_weights",
    "calendar_features",
    "datasets",
    "detect_season",
    "extended",
    "fourier_features",
    "future_known",
    "future_times",
    "in_length_order",
    "labelled_csv",
    "labelled_frame",
    "labelled_table",
    "new_starts",
    "pack_strings",
    "read_conll",
    "read_csv",
    "read_embeddings",
    "read_frame",
    "read_future",
    "read_future_csv",
    "read_text_csv",
    "read_ts",
    "seasons",
    "series_of",
    "sliding_windows",
    "split_bounds",
    "stratified_folds",
    "stratified_holdout",
    "to_frame",
    "unpack_strings",
    "with_time_features",
    "write_conll",
]
