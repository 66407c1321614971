#!/bin/sh
# Every check of `make lint`, all of them even where one fails. Needs `scripts/setup.sh dev` before.
set -u

cd "$(dirname "$0")/.." || exit
bin=.venv/bin
failed=''

# check NAME COMMAND...
check() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed $name"
}

kernels=$(find services/rasterizer -name build -prune -o \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -print)

check ruff "$bin/ruff" check .
check ruff-format "$bin/ruff" format --check .
check mypy "$bin/mypy" services/*/src operator/src scripts tests
check import-layers "$bin/lint-imports"
check buf "$bin/buf" lint
check buf-breaking scripts/check_proto_compatibility.sh
# shellcheck disable=SC2086  # a list of words
check clang-format "$bin/clang-format" --dry-run -Werror $kernels
check shellcheck "$bin/shellcheck" scripts/*.sh .ci/run
check hadolint "$bin/hadolint" services/*/Dockerfile* operator/Dockerfile

if [ -n "$failed" ]; then
    printf 'lint failed:%s\n' "$failed" >&2
    exit 1
fi
echo 'lint passed'
