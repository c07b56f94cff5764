# The service of biolink, with the embedded default: docker build -t biolink . && docker run --rm -p 8000:8000 biolink
# It needs no network when it runs. Reach it from elsewhere only with a token: see docs/how-to/serve.md.
FROM python:3.11-slim

# From this index, torch comes without the libraries of GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /build
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY biolink biolink
COPY kb kb
COPY pretrain pretrain
COPY infer infer
COPY finetune finetune
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" '.[serve,mcp]' \
    && rm -rf /build/* \
    && useradd --system --home-dir /nonexistent biolink

WORKDIR /
USER biolink
ENV HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=5)"]
# SIGTERM ends the service after it has answered what it has taken; give it the time with docker stop --time.
ENTRYPOINT ["biolink", "serve", "--host", "0.0.0.0"]
