# The prediction API: python -m api. Build from the repository's root:
#   docker build -f compose/api.Dockerfile -t tidemark/api .                       serves versions with a compiled form, and
#                                                  refuses the others with a line: it has no scikit-learn, scipy, pandas
#   docker build -f compose/api.Dockerfile --target full -t tidemark/api:full .    serves every version
# Settings are environment variables (API_*, see .env.example); the outbox must lie on a volume, or a removed container
# takes with it what Kafka has not acknowledged yet.

# What both are made on: the base image without what only installs and documents, as one layer.
FROM python:3.11-slim AS bare
# One uid in all images: the services share the MLflow volume. A new volume takes the owner of the folder it covers.
RUN useradd --create-home --uid 10001 tidemark \
 && install -d -o tidemark -g tidemark /var/lib/tidemark/mlflow /var/lib/tidemark/outbox \
 && rm -rf /usr/local/lib/python3*/site-packages/* /usr/lib/python3*/ensurepip /usr/local/lib/python3*/ensurepip \
      /usr/local/lib/python3*/test /usr/local/lib/python3*/idlelib /usr/share/python-wheels \
      /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/perl /usr/lib/*/perl \
      /var/lib/apt/lists/* /var/cache/* ~/.cache

FROM scratch AS service
COPY --from=bare / /
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /app
COPY contracts contracts
COPY api api
# compiled here, because the container's file system is read-only
RUN python3 -m compileall -q contracts api
USER tidemark
EXPOSE 8000
CMD ["python", "-m", "api"]

FROM python:3.11-slim AS build-slim
RUN python -m venv --without-pip /opt/venv
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
COPY requirements/api-slim.txt /
# the cache mount is shared by the images and never part of one
RUN --mount=type=cache,target=/var/cache/pip pip --python /opt/venv/bin/python install --no-compile --require-hashes -r /api-slim.txt
# the tests of the libraries, and the library of onnxruntime for C programs: Python's module holds all of it once more
RUN rm -rf /opt/venv/lib/python3*/site-packages/*/capi/libonnxruntime.so* \
 && find /opt/venv -type d -name tests -prune -exec rm -rf {} +
# what is imported is compiled by that; the rest, a third of the size, would never be read
RUN /opt/venv/bin/python -c "import aiokafka.admin, fastapi.openapi.utils, fastapi_offline, onnxruntime, \
prometheus_client, pydantic_settings, redis.asyncio, typer.rich_utils, uvicorn.lifespan.on, uvloop, \
uvicorn.protocols.http.httptools_impl, mlflow.artifacts, mlflow.models, mlflow.tracking, sqlalchemy.dialects.sqlite, \
mlflow.store.model_registry.sqlalchemy_store, mlflow.store.tracking.sqlalchemy_store"

FROM build-slim AS build-full
COPY requirements/api.txt /
RUN --mount=type=cache,target=/var/cache/pip pip --python /opt/venv/bin/python install --no-compile --require-hashes -r /api.txt
RUN find /opt/venv -type d -name tests -prune -exec rm -rf {} + \
 && /opt/venv/bin/python -c "import pandas, skops.io, sklearn.compose, sklearn.ensemble, sklearn.impute, \
sklearn.linear_model, sklearn.pipeline, sklearn.preprocessing, sklearn.neural_network, sklearn.svm, sklearn.tree"

FROM service AS full
COPY --from=build-full /opt/venv /opt/venv

FROM service AS slim
COPY --from=build-slim /opt/venv /opt/venv
