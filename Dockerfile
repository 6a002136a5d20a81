# docker build -t disanat .
# A far smaller image without a GPU: --build-arg TORCH_INDEX=(PyTorch's own index of CPU builds)
# docker run --rm -v "$PWD:/data" disanat predict -i /data/scans -o /data/results
FROM python:3.11-slim

ARG TORCH_INDEX=""

WORKDIR /opt/disanat
COPY . .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -c constraints.txt . \
    && useradd --create-home --uid 1000 disanat \
    && mkdir /data \
    && chown disanat /data

USER disanat
WORKDIR /data
ENV DISANAT_HOME=/data/disanat_home
ENTRYPOINT ["disanat"]
CMD ["--help"]
