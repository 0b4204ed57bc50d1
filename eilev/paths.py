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
LIVE = DATA / "train" / "live"
# Not a DVC output: DVC deletes outputs before a stage runs, and a stopped run resumes from these.
CHECKPOINTS = DATA / "train" / "checkpoints"

METRICS = DATA / "evaluate" / "metrics.json"
PREDICTIONS = DATA / "evaluate" / "predictions.parquet"
EVALUATION_PLOTS = DATA / "evaluate" / "plots"

BUNDLE = DATA / "export" / "bundle"
EXPORT_METRICS = DATA / "export" / "metrics.json"

REPORT = DATA / "report"
