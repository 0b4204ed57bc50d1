"""The section report: the static page."""

from eilev.config.section import Positive, Section, Seed


class ReportConfig(Section):
    """The static page that ends the pipeline."""

    title: str
    """Heading of the page; each data profile has its own."""
    num_samples: Positive
    """Episodes shown with the model's answers, for each kind of context: those with the most shots,
    of novel actions where there are any. A dozen can be read."""
    seed: Seed
    """Seed of the choice of these episodes."""
