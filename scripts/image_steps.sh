#!/bin/sh
# The steps that all Dockerfiles share; they run inside the builds and nowhere else.
#
#   image_steps.sh gsplat VARIANT         in the build stage, for VARIANT cuda: gsplat with its CUDA kernels
#   image_steps.sh build REQUIREMENT...   in the build stage: /opt/splatworks, an environment of the distributions
#   image_steps.sh base                   in the last stage: a Python where the base brings none, and the user
#   image_steps.sh check COMMAND          in the last stage: the command starts on this base
#
# Assumes Debian, Ubuntu or an image made of them; nothing is fetched but packages. The same sources, constraints and
# bases give the same files: bytecode holds no times, and what remembers the time of a build is removed.
set -eu

environment=/opt/splatworks
tools=/tmp/tools
wheels=/tmp/wheels # of gsplat; chosen before the one of an index, which has no kernels

say() { printf '%s\n' "$*" >&2; }

install_packages() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    # The lists are large; logs and the loader's cache hold the time of the build.
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
}

# Sets up Python and a compiler where they are missing, the tools, and an empty environment.
prepare() {
    command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null && command -v c++ >/dev/null &&
        [ -f "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
        install_packages ca-certificates g++ python3 python3-dev python3-venv
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --no-cache-dir --constraint constraints.txt pip
    python3 -m venv --without-pip "$environment"
    mkdir -p "$wheels"
}

# pip_for_environment COMMAND OPTIONS...: with the versions of the constraints; the second file is not always there.
pip_for_environment() {
    action=$1
    shift
    if [ -f constraints-cuda.txt ]; then set -- --constraint constraints-cuda.txt "$@"; fi
    "$tools/bin/pip" --python "$environment/bin/python" "$action" --no-cache-dir --find-links "$wheels" \
        --constraint constraints.txt "$@"
}

gsplat() {
    [ "$1" = cuda ] || return 0
    if ! command -v nvcc >/dev/null; then
        say 'VARIANT=cuda compiles gsplat, and BUILD_IMAGE has no nvcc: choose one like nvidia/cuda:12.8.1-devel-ubuntu24.04.'
        exit 1
    fi
    prepare
    # Compiled against the very torch that it will meet; all of these stay in the image, as requirements of the two.
    pip_for_environment install --no-compile --only-binary :all: torch ninja numpy packaging setuptools
    PATH=$environment/bin:$PATH # for ninja
    export PATH
    pip_for_environment wheel --no-deps --no-build-isolation --no-binary gsplat --wheel-dir "$wheels" gsplat
}

build() {
    prepare
    # Wheels only, but for the distributions themselves: what is built from a stranger's sources depends on the day.
    pip_for_environment install --no-compile --prefer-binary --build-constraint constraints.txt "$@"
    "$tools/bin/pip" --python "$environment/bin/python" check
    site=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # Tests of others, which nothing imports (numpy's are imported by numpy.testing), and where pip found our sources.
    find "$site/scipy" "$site/Crypto" -type d \( -name tests -o -name SelfTest \) -prune -exec rm -rf {} + 2>/dev/null || true
    find "$site" -path '*splatworks*.dist-info/direct_url.json' -delete
    if [ -d "$site/gsplat" ]; then "$environment/bin/python" -c 'import torch, gsplat.csrc'; fi
    # A container's root is often read-only, so bytecode is compiled now; a file's own hash stands in for its time.
    # A few of torch's own tests are in the language of newer Pythons.
    "$environment/bin/python" -m compileall -q -x /torch/testing/_internal/ --invalidation-mode unchecked-hash "$site"
}

base() {
    command -v python3 >/dev/null || install_packages python3
    printf 'splatworks:x:10001:10001:Splatworks:/tmp:/usr/sbin/nologin\n' >>/etc/passwd
    printf 'splatworks:x:10001:\n' >>/etc/group
}

check() {
    built=$(sed -n 's/^version = //p' "$environment/pyvenv.cfg")
    found=$(python3 -c 'import platform; print(platform.python_version())')
    if [ "${built%.*}" != "${found%.*}" ] || ! "$environment/bin/python" -c ''; then
        say "BUILD_IMAGE has Python $built, BASE_IMAGE has $found or has it elsewhere: choose two of the same family."
        exit 1
    fi
    "$@" --help >/dev/null
}

step=$1
shift
"$step" "$@"
