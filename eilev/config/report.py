"""The section report: the static page."""

from eilev.config.section import Positive, Section, Seed


class ReportConfig(Section):
    """The static page."""

    title: str
    num_samples: Positive
    seed: Seed
