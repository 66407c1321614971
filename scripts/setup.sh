#!/bin/sh
# Makes .venv hold what a command needs, and does nothing where it already does.
#
#   scripts/setup.sh run   the seven distributions, editable: enough for `splatworks run`
#   scripts/setup.sh dev   the same and the tools of `make test`, `make lint` and `make protos`
#
# Assumes no tool but a POSIX shell: what is missing is named together with the command that installs it. PYTHON and
# CXX choose another interpreter or compiler. A stamp in .venv remembers each step; it is older than the step's inputs
# when the step must be done again.
set -eu

cd -P "$(dirname "$0")/.."
venv=.venv
distributions='services/common services/rasterizer services/sfm services/trainer services/compressor
    services/streamer operator'
missing=''   # what this machine lacks, one thing a line
packages=''  # the system packages that hold it

say() { printf '%s\n' "$*"; }

# lacks WHAT APT_PACKAGES DNF_PACKAGES
lacks() {
    missing="$missing  - $1
"
    if command -v dnf >/dev/null; then packages="$packages $3"; else packages="$packages $2"; fi
}

give_up_if_anything_is_missing() {
    [ -n "$missing" ] || return 0
    sudo=''
    [ "$(id -u)" = 0 ] || sudo='sudo '
    installer='apt-get install'
    if command -v dnf >/dev/null; then installer='dnf install'; fi
    {
        say 'Splatworks can not be set up on this machine yet. Missing:'
        printf '%s' "$missing"
        say "Install it with:  $sudo$installer$packages"
    } >&2
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Sets $python to an interpreter of version 3.11 or newer that can make environments and compile extensions.
find_python() {
    python=''
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        if found=$(${PYTHON:-python3} --version 2>/dev/null); then
            lacks "Python 3.11 or newer (found: $found; PYTHON=/path/to/python3 chooses another)" \
                'python3.11 python3.11-venv python3.11-dev' 'python3.11 python3.11-devel'
        else
            lacks 'Python 3.11 or newer' 'python3 python3-venv python3-dev' 'python3 python3-devel'
        fi
        return
    fi
    name=$(basename "$python")
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        lacks "the venv module of $name" "$name-venv" "$name"
    fi
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    if [ ! -f "$headers/Python.h" ]; then
        lacks "the C headers of $name (Python.h)" "$name-dev" "$name-devel"
    fi
}

compiles_cxx17() {
    command -v "$1" >/dev/null || return 1
    printf '#include <optional>\nint main() { std::optional<int> x; return x.value_or(0); }\n' |
        "$1" -std=c++17 -x c++ -fsyntax-only - 2>/dev/null
}

# Sets and exports CXX.
find_compiler() {
    for candidate in ${CXX:-c++ g++ clang++}; do
        if compiles_cxx17 "$candidate"; then
            CXX=$candidate
            export CXX
            return
        fi
    done
    lacks 'a C++17 compiler (tried: '"${CXX:-c++ g++ clang++}"')' g++ gcc-c++
}

# stale STAMP INPUTS...: whether the stamp is absent or older than a file in or below the inputs.
stale() {
    stamp=$1
    shift
    [ -f "$stamp" ] || return 0
    [ -n "$(find "$@" -name __pycache__ -prune -o -type f -newer "$stamp" -print 2>/dev/null | head -n 1)" ]
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet --quiet "$@"; }

# install [PIP OPTIONS] REQUIREMENTS...
install() { pip install --constraint constraints.txt "$@"; }

make_environment() {
    # Its scripts name the folder they were made for: a copied or moved one does not work.
    if [ -x "$venv/bin/python" ] && is_new_enough "$venv/bin/python" && grep -qsF "$(pwd -P)/$venv" "$venv/bin/pip"; then
        return
    fi
    find_python
    find_compiler
    give_up_if_anything_is_missing
    say "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

install_distributions() {
    find_compiler
    give_up_if_anything_is_missing
    say 'Installing Splatworks and what it needs into .venv (once; a minute or two)'
    started=$(date +%s)
    install pip
    install --requirement requirements-build.txt
    editable=''
    isolated=''
    for distribution in $distributions; do
        if [ "$distribution" = operator ]; then distribution='operator[local]'; fi
        # Without an npm the streamer's build fetches one, which isolation keeps out of .venv.
        if [ "$distribution" = services/streamer ] && ! command -v npm >/dev/null; then
            isolated="--editable $distribution"
        else
            editable="$editable --editable $distribution"
        fi
    done
    # shellcheck disable=SC2086  # a list of words
    install --no-build-isolation $editable
    # shellcheck disable=SC2086
    [ -z "$isolated" ] || install --build-constraint constraints.txt $isolated
    touch "$venv/.distributions" "$venv/.kernels"
    say "Installed in $(($(date +%s) - started)) s, $(du -sm "$venv" | cut -f 1) MB"
}

build_kernels() {
    find_compiler
    give_up_if_anything_is_missing
    say 'Building the rasterizer, whose sources have changed'
    install --no-build-isolation --no-deps --editable services/rasterizer
    touch "$venv/.kernels"
}

install_tools() {
    say 'Installing the tools of test and lint into .venv (once)'
    install --requirement requirements-dev.txt
    touch "$venv/.tools"
}

make_environment
pyprojects=''
for distribution in $distributions; do pyprojects="$pyprojects $distribution/pyproject.toml"; done
web=services/streamer/web
# shellcheck disable=SC2086  # a list of words
if stale "$venv/.distributions" constraints.txt requirements-build.txt $pyprojects \
    services/streamer/hatch_build.py "$web/package.json" "$web/package-lock.json" "$web/.npmrc" "$web/build.mjs"; then
    install_distributions
elif stale "$venv/.kernels" services/rasterizer/CMakeLists.txt services/rasterizer/src; then
    build_kernels
fi
if [ "${1:-run}" = dev ] && stale "$venv/.tools" constraints.txt requirements-dev.txt; then
    install_tools
fi
