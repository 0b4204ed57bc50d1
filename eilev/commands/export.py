"""`eilev export`: a checkpoint as an ONNX bundle, outside of the pipeline.

eilev export CHECKPOINT FOLDER [--precision fp16|int8]
eilev export --triton BUNDLE FOLDER
eilev export --check BUNDLE
"""

import argparse
from pathlib import Path

from eilev.bundle.manifest import GRAPHS, MANIFEST_FILE, Manifest, MeasuredParity
from eilev.io import DataError, atomic_dir


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a checkpoint as an ONNX bundle; check a bundle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="folder or hub name of a checkpoint, or folder of a bundle")
    parser.add_argument("folder", nargs="?", type=Path, help="where to; it is replaced whole")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument("--max-new-tokens", type=int, default=32, help="default of its requests")
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--episodes", type=int, default=6, help="to compare with torch on")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--triton", action="store_true", help="lay a bundle out as a model repository of Triton"
    )
    instead.add_argument("--check", action="store_true", help="verify a bundle and run it once")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write FOLDER or check a bundle, and say what it is.

    Raises:
        ValueError: FOLDER is missing or superfluous, or holds something else; the checkpoint or
            the bundle is bad (DataError), or what was written differs from torch (ParityError).
    """
    if options.check and options.folder is not None:
        raise ValueError(f"--check takes one folder: leave out {options.folder}")
    if options.check:
        print(describe(Path(options.source)))  # noqa: T201
    elif options.folder is None:
        raise ValueError("name the FOLDER to write")
    elif options.triton:
        _write_repository(Path(options.source), options.folder)
    else:
        _write_bundle(options)


def describe(folder: Path) -> str:
    """Verify a bundle, run each of its graphs once, and say what it is.

    Raises:
        BundleError: a file is missing or altered, or the manifest says something else than the
            graphs.
    """
    try:
        from eilev.bundle.onnx_engine import OnnxEngine
    except ImportError as error:
        raise DataError(f"{folder}: needs {error.name}: pip install 'eilev[serve]'") from error
    engine = OnnxEngine.load(folder)
    engine.warm_up()
    devices = ", ".join(f"{name} on {graph.device}" for name, graph in engine.graphs.items())
    facts = _facts(engine.manifest) | {"provider": devices}
    return "\n".join(f"{name:10} {value}" for name, value in facts.items())


def _facts(manifest: Manifest) -> dict[str, str]:
    cache, clip = manifest.cache, manifest.clip
    return {
        "family": f"{manifest.family}: {cache.num_layers} layers, {cache.num_heads} heads of "
        f"{cache.head_dim}, width {manifest.hidden_size}, vocabulary {manifest.vocab_size}",
        "clips": f"{clip.num_frames} frames of {clip.window_s:g} s, {manifest.image.size} pixels, "
        f"{manifest.num_query_tokens} tokens each",
        "precision": manifest.precision,
        "files": f"{len(manifest.files)}, {manifest.num_bytes / 1e6:.1f} MB, checksums right",
        "parity": _parity(manifest.parity),
        "revision": manifest.git_revision or "unknown",
    }


def _parity(parity: MeasuredParity | None) -> str:
    if parity is None:
        return "never compared with torch"
    actions = (
        "" if parity.action_agreement is None else f", {parity.action_agreement:.0%} of actions"
    )
    return (
        f"{parity.identical_narrations} of {parity.episodes} narrations identical{actions}, "
        f"largest logit difference {parity.max_logit_difference:.3g}"
    )


def _write_bundle(options: argparse.Namespace) -> None:
    try:
        from eilev.export.checkpoint import export_checkpoint
    except ImportError as error:
        raise DataError(f"exporting needs {error.name}: pip install 'eilev[pipeline]'") from error
    _refuse_other(options.folder, MANIFEST_FILE)
    how = (options.precision, options.opset, options.max_new_tokens, options.episodes)
    with atomic_dir(options.folder) as folder:
        export_checkpoint(options.source, folder, *how)
        text = describe(folder)
    print(f"{options.folder}\n{text}")  # noqa: T201


def _write_repository(bundle: Path, target: Path) -> None:
    from eilev.export.triton import CONFIG_FILE, model_name, write_repository

    names = [model_name(name) for name in GRAPHS[Manifest.load(bundle).family]]
    _refuse_other(target, f"{names[0]}/{CONFIG_FILE}")
    with atomic_dir(target) as folder:
        write_repository(bundle, folder)
    print(f"{target}: {', '.join(names)}")  # noqa: T201


def _refuse_other(folder: Path, mark: str) -> None:
    """Never replace a folder that is no earlier export: those have a file of this name."""
    if folder.exists() and not (folder / mark).is_file():
        raise ValueError(f"{folder}: exists and has no {mark}; name another folder")
