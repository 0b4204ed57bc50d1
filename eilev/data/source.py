"""What every source of annotations offers, whatever its files look like."""

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Annotations:
    """What a source offers: rows of schema.NARRATIONS, and of schema.REJECTS."""

    narrations: pd.DataFrame
    rejects: pd.DataFrame

    def reject_counts(self) -> dict[str, int]:
        """Reason to the number of actions left out for it, most frequent first."""
        counts = self.rejects["reason"].value_counts()
        pairs = ((str(reason), int(count)) for reason, count in counts.items())
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def summary(self) -> dict[str, Any]:
        """Counts for people and for the metrics."""
        table = self.narrations
        return {
            "narrations": len(table),
            "rejects": self.reject_counts(),
            "videos": int(table["video_id"].nunique()),
            "verb_classes": int(table["verb_class"].nunique()),
            "noun_classes": int(table["noun_class"].nunique()),
            "actions": len(table[["verb_class", "noun_class"]].dropna().drop_duplicates()),
            "missing_noun_class": int(table["noun_class"].isna().sum()),
            "missing_verb_word": int(table["verb_word"].isna().sum()),
            "missing_noun_word": int(table["noun_word"].isna().sum()),
        }
