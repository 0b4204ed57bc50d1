"""The gate as a Prefect flow: what the pipeline has made takes the promoted model's place, or not.

    python -m flows.release

`eilev release` decides; a refusal fails the run, with the rules that refuse in its message.
"""

import sys

from prefect import flow
from prefect.logging import get_run_logger

from flows.commands import CommandError, run_eilev


@flow(persist_result=False)
def release(
    server: str | None = None,
    model: str = "eilev",
    api_key_env: str | None = None,
    into: str | None = None,
    commit: bool = False,
    push: bool = False,
) -> None:
    """Release what lies in the workspace, as `eilev release` does.

    Args:
        server: URL of a running server that is told.
        model: its id there.
        api_key_env: environment variable with the server's key.
        into: folder that gets the bundle.
        commit: whether dvc.lock, which the pipeline has written, is committed first.
        push: whether to push to DVC's remote and git's origin.
    """
    given = {"--server": server, "--model": model, "--api-key-env": api_key_env, "--into": into}
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    flags = [name for name, asked in {"--commit": commit, "--push": push}.items() if asked]
    run_eilev(["release", *words, *flags], get_run_logger().info)


def main() -> None:
    """Run the flow in this process."""
    try:
        release()
    except CommandError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
