#!/bin/sh
# Installs the chart on a real one-node Kubernetes and runs SplatJobs in its pods (tests/cluster).
#
# Needs root, an image builder, and ../shared/kube with the Debian packages that it names. Settings: those of
# scripts/images.sh; SPLATWORKS_IMAGE_ARCHIVES, a folder of images that are built already; SPLATWORKS_CLUSTER_RECORDS,
# where logs and what kubectl showed are kept (default: build/cluster). Arguments go to pytest.
set -eu

cd -P "$(dirname "$0")/.."

if [ -z "${SPLATWORKS_IMAGE_ARCHIVES:-}" ]; then
    SPLATWORKS_IMAGE_ARCHIVES=$PWD/build/images
    # The node takes the names and the tag that the chart has by itself.
    env -u IMAGES -u VARIANT -u TAG -u REGISTRY ARCHIVE_DIR="$SPLATWORKS_IMAGE_ARCHIVES" scripts/images.sh
fi
export SPLATWORKS_IMAGE_ARCHIVES
export SPLATWORKS_CLUSTER_RECORDS="${SPLATWORKS_CLUSTER_RECORDS:-$PWD/build/cluster}"
exec .venv/bin/python -m pytest tests/cluster "$@"
