"""`eilev trace`: which data, parameters and code wrote an answer, and whether they are here."""

import argparse
from pathlib import Path

from dvc.repo import Repo

from eilev.io import DataError
from eilev.lineage.chain import Chain, trace
from eilev.lineage.versions import find_version


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("trace", help="lead an answer back to data, parameters and code")
    parser.add_argument("fingerprint", help="`system_fingerprint` of an answer")
    parser.add_argument("--params", action="store_true", help="with the parameters of each stage")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the chain.

    Raises:
        DataError: no bundle that this repository has had has the fingerprint.
    """
    root = Path.cwd()
    cache = Path(Repo(str(root)).cache.local.path)
    version = find_version(options.fingerprint, root, cache)
    if version is None:
        raise DataError(
            f"no bundle of {root} has the fingerprint {options.fingerprint}: neither the working "
            "tree's nor that of a commit whose files are in DVC's cache; try "
            "`dvc fetch --all-commits`"
        )
    print(describe(trace(version, root, cache), with_params=options.params))  # noqa: T201


def describe(chain: Chain, *, with_params: bool) -> str:
    """The chain for people."""
    manifest, commit = chain.version.manifest, chain.version.commit
    lines = [
        f"{manifest.fingerprint}",
        f"  locked by   {'the working tree, not committed' if commit is None else commit}",
        f"  code        {manifest.git_revision or 'unknown'}",
        f"  checks      {chain.validation}",
    ]
    for step in chain.steps:
        lines.append(f"  {step.stage}")
        lines += [f"    {out.digest or '-':38s}{out.path}" for out in step.outs]
        if with_params:
            lines += [f"    {name}: {value}" for name, value in step.params.items()]
    if chain.sources:
        lines.append("  from what no stage makes")
        lines += [f"    {one.item.digest or '-':38s}{one.item.path}" for one in chain.sources]
    if not chain.missing:
        revision = (manifest.git_revision or "")[:9]
        lines.append(f"can be made again from here: git checkout {revision} && make repro")
    else:
        lines += ["can't be made again from here:", *(f"  {each}" for each in chain.missing)]
    return "\n".join(lines)
