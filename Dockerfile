# syntax=docker/dockerfile:1
# docker build --target cpu -t reasoner-zero:cpu .        docker run --rm reasoner-zero:cpu doctor
# docker build --target gpu -t reasoner-zero:gpu .        docker run --rm --gpus all --shm-size 16g reasoner-zero:gpu doctor
# Mount a folder for the results: -v "$PWD/runs:/work/runs". The program works as process 1.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS base
# A compiler and, from the image, Python.h: vLLM and Triton compile at first use. ssh reaches other machines and is reached.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git g++ make openssh-client openssh-server procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/reasoner-zero
COPY . .
ENV PATH=/opt/reasoner-zero/.venv/bin:$PATH \
    HF_HOME=/work/runs/.cache/huggingface
ENTRYPOINT ["reasoner-zero"]
CMD ["--help"]

FROM base AS cpu
ENV REASONER_ZERO_SET=cpu
RUN python requirements/install.py && rm -rf /root/.cache
WORKDIR /work

FROM base AS gpu
# The driver comes from the host (nvidia-container-toolkit), everything else of CUDA from the Python packages.
ENV REASONER_ZERO_SET=gpu \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN python requirements/install.py && rm -rf /root/.cache
WORKDIR /work
