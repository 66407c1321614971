#!/bin/sh
# Builds the container images with whichever of podman, buildah and docker is there, and prints their sizes.
#
# Settings, all from the environment:
#   IMAGES         which ones, of: sfm trainer compressor streamer operator store (all; with VARIANT=cuda those that
#                  differ there)
#   VARIANT        cpu: a small base for each; cuda: the bases that the Dockerfiles name (default: cpu)
#   TAG            the images' tag (default: the version, with -cuda for that variant)
#   REGISTRY       put before the names, like registry.example.com/team (default: none)
#   BASE_IMAGE, BUILD_IMAGE   bases other than the variant's; docs/images.md says what they must have
#   ARCHIVE_DIR    a folder for each image as NAME.tar, to be imported where there is no registry (default: none)
#   BUILDER        podman, buildah or docker (default: the first that is there)
#   BUILD_OPTIONS  more options for the builder's build command, like `--volume=...` (default: none)
#   SOURCE_DATE_EPOCH   the time that everything in the images bears (default: that of the last commit)
set -eu

cd -P "$(dirname "$0")/.."

# Test: the defaults of the Dockerfiles that need no CUDA are these.
cpu_build_image=python:3.12-bookworm
cpu_base_image=python:3.12-slim-bookworm

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

find_builder() {
    for candidate in ${BUILDER:-podman buildah docker}; do
        # Docker's command without its server is of no use.
        if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
            builder=$candidate
            return
        fi
    done
    die "No images can be built: none of ${BUILDER:-podman, buildah and docker} is installed and works here.
Install one, for example:  apt-get install buildah"
}

dockerfile_of() {
    case $1 in
        sfm | trainer | compressor | streamer) echo "services/$1/Dockerfile" ;;
        operator) echo operator/Dockerfile ;;
        store) echo services/common/Dockerfile.store ;;
        *) die "There is no image '$1'; there are: sfm trainer compressor streamer operator store" ;;
    esac
}

# build NAME DOCKERFILE
build() {
    set -- --file "$2" --tag "$1" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
    if [ -n "$base_image" ]; then set -- "$@" --build-arg "BASE_IMAGE=$base_image"; fi
    if [ -n "$build_image" ]; then set -- "$@" --build-arg "BUILD_IMAGE=$build_image"; fi
    if grep -q '^ARG VARIANT' "$2"; then set -- "$@" --build-arg "VARIANT=$VARIANT"; fi
    case $builder in
        docker) set -- "$@" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" ;;
        # OCI's own format has no HEALTHCHECK.
        *) set -- "$@" --format docker --timestamp "$SOURCE_DATE_EPOCH" ;;
    esac
    # shellcheck disable=SC2086  # a list of options
    "$builder" build "$@" ${BUILD_OPTIONS:-} .
}

# save NAME FILE
save() {
    rm -f "$2" # an archive that is there can not be written to
    case $builder in
        buildah) buildah push "$1" "docker-archive:$2:$1" ;;
        podman) podman save --format docker-archive --output "$2" "$1" ;;
        docker) docker save --output "$2" "$1" ;;
    esac
}

find_builder
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' services/common/pyproject.toml)
revision=$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
case ${VARIANT:=cpu} in
    cpu)
        base_image=${BASE_IMAGE:-$cpu_base_image}
        build_image=${BUILD_IMAGE:-$cpu_build_image}
        tag=${TAG:-$version}
        images=${IMAGES:-sfm trainer compressor streamer operator store}
        ;;
    cuda)
        base_image=${BASE_IMAGE:-}
        build_image=${BUILD_IMAGE:-}
        tag=${TAG:-$version-cuda}
        images=${IMAGES:-trainer compressor}
        ;;
    *) die "VARIANT is '$VARIANT'; it must be cpu or cuda" ;;
esac

for image in $images; do dockerfile_of "$image" >/dev/null; done # a wrong name is told before the first build
if [ -n "${ARCHIVE_DIR:-}" ]; then mkdir -p "$ARCHIVE_DIR"; fi
sizes=''
for image in $images; do
    name=${REGISTRY:+${REGISTRY%/}/}splatworks-$image:$tag
    printf '== %s, with %s\n' "$name" "$builder"
    build "$name" "$(dockerfile_of "$image")"
    if [ -n "${ARCHIVE_DIR:-}" ]; then save "$name" "$ARCHIVE_DIR/splatworks-$image.tar"; fi
    sizes="$sizes$(printf '%-40s %s' "$name" "$("$builder" images --format '{{.Size}}' "$name")")
"
done
printf '\n%s' "$sizes"
