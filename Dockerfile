# CPU:  docker build -t disanat .
# GPU:  docker build -t disanat:gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
# Run:  docker run --rm -v "$PWD:/data" disanat predict -i /data/scans -o /data/results
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /opt/disanat
COPY . .
RUN pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" -c constraints.txt . \
    && useradd --create-home --uid 1000 disanat \
    && mkdir /data \
    && chown disanat /data

USER disanat
WORKDIR /data
ENV DISANAT_HOME=/data/disanat_home
ENTRYPOINT ["disanat"]
CMD ["--help"]
