# The drift workers and the alert sinks: python -m stream_app worker | sink | topics | audit. Build from the root:
#   docker build -f compose/stream.Dockerfile -t tidemark/stream .
# Settings are environment variables (STREAM_*, see .env.example). All state is in Kafka: a container may be removed.
FROM python:3.11-slim AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
COPY requirements/stream.txt /requirements.txt
# the cache mount is shared by the three images and never part of one
RUN --mount=type=cache,target=/var/cache/pip pip install --require-hashes -r /requirements.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 tidemark
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY contracts contracts
COPY stream_app stream_app
# compiled here, because the container's file system is read-only
RUN python -m compileall -q contracts stream_app
USER tidemark
ENTRYPOINT ["python", "-m", "stream_app"]
CMD ["worker"]
