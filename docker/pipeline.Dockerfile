# syntax=docker/dockerfile:1
# What the pipeline and its flows need. The checkout is mounted: DVC works in its git repository, and
# results stay in its data/. Without --build-arg, torch is PyPI's CUDA build (several GB).
#
#   docker build --platform linux/amd64 --file docker/pipeline.Dockerfile --tag eilev-pipeline \
#     --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu .
#   docker run --rm --user "$(id -u):$(id -g)" --shm-size 2g --volume "$PWD:/eilev" eilev-pipeline
#
# With GPUs: leave the build argument out and add `--gpus all`. Another command in place of
# `dvc repro` goes after the image's name: `python -m flows.pipeline`, `eilev describe ...`.
#
# Keep the image to yourself: the FFmpeg in decord's wheel is built with --enable-gpl
# --enable-nonfree, and such a build may not be redistributed.
#
# No Docker engine has built this file yet. hadolint passes, and its commands were run one by one in
# a bare Debian 12 with Python 3.11 (docs/log.md).
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

# What Prefect's server keeps beside its database lies in /prefect (compose.yaml).
RUN useradd --create-home --uid 1000 eilev \
    && install --directory --owner eilev --group eilev /prefect
WORKDIR /eilev
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY eilev eilev
COPY flows flows
# pip reads it by itself.
ARG PIP_EXTRA_INDEX_URL
# Editable: the code that runs is that of the mounted checkout.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt --editable '.[pipeline,flows]'

# A home and a name for any user of `--user`, without which DVC stops. The rest is as in the Makefile.
ENV HOME=/tmp USER=eilev \
    PYTHONUNBUFFERED=1 \
    DVC_NO_ANALYTICS=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    GX_ANALYTICS_ENABLED=false
USER 1000
CMD ["dvc", "repro"]
