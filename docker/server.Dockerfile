# syntax=docker/dockerfile:1
# The server of an exported bundle: onnxruntime on the CPU, no torch.
#
#   docker build --platform linux/amd64 --file docker/server.Dockerfile --tag eilev-server .
#   docker run --rm --publish 127.0.0.1:8000:8000 \
#     --volume "$PWD/data/export/bundle:/bundle:ro" eilev-server
#
# It asks nobody who they are unless EILEV_API_KEY is set (`docker run -e`): see docs/serving.md.
#
# Keep the image to yourself: the FFmpeg in decord's wheel is built with --enable-gpl
# --enable-nonfree, and such a build may not be redistributed.
#
# No Docker engine has built this file yet. hadolint passes, and its commands were run one by one in
# a bare Debian 12 with Python 3.11 (docs/log.md).
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 eilev
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY eilev eilev
COPY flows flows
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt '.[serve]'

USER 1000
EXPOSE 8000
# It listens only once the bundle is loaded and has answered a warm-up.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["eilev", "serve", "--bundle", "/bundle", "--host", "0.0.0.0", "--port", "8000"]
