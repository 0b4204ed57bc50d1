"""Pages from this folder's templates."""

from pathlib import Path
from typing import Any

import jinja2


def fill(template: str, **values: Any) -> str:
    """Fill one of this folder's templates; what is not declared safe there is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
