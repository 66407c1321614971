#!/bin/sh
# Compares protos/ with the commit before their last change, or with the last commit where they are being changed now:
# a message on the wire, or stored by an older release, must stay readable.
set -eu

cd "$(dirname "$0")/.."

skip() {
    printf 'skipped: %s\n' "$1"
    exit 0
}

command -v git >/dev/null || skip 'git is not installed'
git rev-parse --quiet --verify HEAD >/dev/null 2>&1 || skip 'there is no commit to compare with'

base=HEAD
if git diff --quiet HEAD -- protos; then
    last_change=$(git rev-list -1 HEAD -- protos)
    base=$(git rev-parse --quiet --verify "$last_change^") || skip 'the history holds no earlier protos'
fi
[ -n "$(git ls-tree "$base" -- protos buf.yaml third_party | sed -n 3p)" ] || skip 'the history holds no earlier protos'

earlier=$(mktemp -d)
trap 'rm -rf "$earlier"' EXIT
git archive "$base" -- protos third_party buf.yaml | tar -x -C "$earlier"
.venv/bin/buf breaking --against "$earlier"
