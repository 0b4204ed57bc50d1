"""Where each stage's results lie: data/NAME belongs to stage NAME (dvc.yaml says the same)."""

from pathlib import Path

DATA = Path("data")

SYNTHETIC = DATA / "raw" / "synthetic"

INVENTORY = DATA / "inventory" / "videos.json"

NARRATIONS = DATA / "ingest" / "narrations.parquet"
REJECTS = DATA / "ingest" / "rejects.parquet"
INGEST_SUMMARY = DATA / "ingest" / "summary.json"

SPLIT = DATA / "split" / "split.parquet"

# Arrow shards clips-*.arrow and index.parquet.
CLIPS = DATA / "clips"

# {train,val,test,novel}.parquet, and what the corpus cannot give
EPISODES = DATA / "episodes"
EPISODES_SUMMARY = EPISODES / "summary.json"

VALIDATION = DATA / "validate" / "validation.json"
VALIDATION_DOCS = DATA / "validate" / "docs"
VALIDATION_PLOTS = DATA / "validate" / "plots"

MODEL = DATA / "train" / "model"
TRAIN_METRICS = DATA / "train" / "metrics.json"
# How long it took, which no result depends on.
TRAIN_EFFORT = DATA / "train" / "effort.json"
LIVE = DATA / "train" / "live"
# Not a DVC output: what a stopped run resumes from, and the curves of the run that is going on.
CHECKPOINTS = DATA / "train" / "checkpoints"
# Environment variable: at 1, those of a training begun otherwise make way instead of stopping it.
DROP_UNFINISHED = "EILEV_DROP_UNFINISHED"

METRICS = DATA / "evaluate" / "metrics.json"
PREDICTIONS = DATA / "evaluate" / "predictions.parquet"
EVALUATION_PLOTS = DATA / "evaluate" / "plots"

BUNDLE = DATA / "export" / "bundle"
# A bundle in each further precision, by its name.
PRECISIONS = DATA / "export" / "precisions"
EXPORT_METRICS = DATA / "export" / "metrics.json"

REPORT = DATA / "report"
