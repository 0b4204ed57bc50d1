"""synthesize: render the synthetic kitchen, the default source."""

from eilev import paths
from eilev.config import load_params
from eilev.data.synthetic.kitchen import synthesize
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/raw/synthetic/."""
    synthesize(load_params().synthesize, paths.SYNTHETIC)


if __name__ == "__main__":
    main()
