# The prediction API: python -m api. Build from the repository's root:
#   docker build -f compose/api.Dockerfile -t tidemark/api .
# Settings are environment variables (API_*, see .env.example); the outbox must lie on a volume, or a removed container
# takes with it what Kafka has not acknowledged yet.
FROM python:3.11-slim AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
COPY requirements/api.txt /requirements.txt
# the cache mount is shared by the three images and never part of one
RUN --mount=type=cache,target=/var/cache/pip pip install --require-hashes -r /requirements.txt

FROM python:3.11-slim
# One uid in all images: the services share the MLflow volume. A new volume takes the owner of the folder it covers.
RUN useradd --create-home --uid 10001 tidemark \
 && install -d -o tidemark -g tidemark /var/lib/tidemark/mlflow /var/lib/tidemark/outbox
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY contracts contracts
COPY api api
# compiled here, because the container's file system is read-only
RUN python -m compileall -q contracts api
USER tidemark
EXPOSE 8000
CMD ["python", "-m", "api"]
