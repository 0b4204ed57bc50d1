"""Profiles: params.yaml composed from the groups in conf/, as `dvc exp run -S` composes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from eilev.config.params import Params
from eilev.config.section import ParamsError, check_section

CONF = Path("conf")
# Groups, in the order in which later ones win; `adapt` follows from the last two.
GROUPS = ("data", "recipe", "model")

_HYDRA_ERRORS = (
    ConfigCompositionException,
    MissingConfigException,
    OverrideParseException,
    OmegaConfBaseException,
)


def compose_params(overrides: Sequence[str], folder: Path = CONF) -> tuple[str, Params]:
    """Compose the groups with overrides such as "data=ego4d" or "train.seed=1".

    Returns:
        The text of params.yaml, byte for byte as DVC writes it, and its values.

    Raises:
        ParamsError: an unknown group, choice or key, or a value that breaks a rule.
    """
    if not (folder / "config.yaml").is_file():
        raise ParamsError(f"{folder}/config.yaml: no such file; run from the repository's root")
    try:
        with initialize_config_dir(str(folder.absolute()), version_base=None):
            config = compose("config", overrides=list(overrides))
        OmegaConf.resolve(config)
        values = OmegaConf.to_container(config, throw_on_missing=True)
    except _HYDRA_ERRORS as error:
        raise ParamsError(f"{folder}: {' '.join(overrides)}: {error}") from error
    origin = " ".join([str(folder), *overrides])
    return OmegaConf.to_yaml(config), check_section(values, Params, origin)


def override(base: Mapping[str, Any], changes: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Parameters with other values at dotted keys, each put in place of the old one whole.

    Raises:
        ParamsError: `base` has no such key; `origin` says who asked for it.
    """
    config = OmegaConf.create(dict(base))
    OmegaConf.set_struct(config, value=True)
    for key, value in changes.items():
        try:
            OmegaConf.update(config, key, value, merge=False)
        except OmegaConfBaseException as error:
            raise ParamsError(f"{origin} changes '{key}', not in params.yaml") from error
    changed: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    return changed


def choices(group: str, folder: Path = CONF) -> list[str]:
    """Names of a group's profiles, sorted."""
    return sorted(path.stem for path in (folder / group).glob("*.yaml"))
