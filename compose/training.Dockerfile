# Training and the model registry: python -m training train | baseline. Build from the root:
#   docker build -f compose/training.Dockerfile -t tidemark/training .
# Settings are environment variables (TRAINING_*, see .env.example).
FROM python:3.11-slim AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
COPY requirements/training.txt /requirements.txt
# the cache mount is shared by the three images and never part of one
RUN --mount=type=cache,target=/var/cache/pip pip install --require-hashes -r /requirements.txt

FROM python:3.11-slim
# One uid in all images: the services share the MLflow volume. A new volume takes the owner of the folder it covers.
RUN useradd --create-home --uid 10001 tidemark \
 && install -d -o tidemark -g tidemark /var/lib/tidemark/mlflow /var/lib/tidemark/data
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true MPLCONFIGDIR=/tmp/matplotlib
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY contracts contracts
# the statistics are a library for both: nothing else of stream_app is in this image
COPY stream_app/__init__.py stream_app/false_discovery.py stream_app/
COPY stream_app/drift stream_app/drift
COPY stream_app/performance stream_app/performance
COPY training training
# compiled here, because the container's file system is read-only
RUN python -m compileall -q contracts stream_app training
USER tidemark
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]
