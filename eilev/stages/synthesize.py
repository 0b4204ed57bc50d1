"""synthesize: render the synthetic kitchen, the default source."""

from eilev import paths
from eilev.config.section import load_section
from eilev.config.synthesize import SynthesizeConfig
from eilev.stages.runner import stage
from eilev.synthetic.kitchen import synthesize


@stage
def main() -> None:
    """Write data/raw/synthetic/."""
    synthesize(load_section("synthesize", SynthesizeConfig), paths.SYNTHETIC)


if __name__ == "__main__":
    main()
