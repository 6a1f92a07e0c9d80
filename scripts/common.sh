# Shared by the scripts of this folder; source it, do not run it.
# Everything that is fetched or built outside the tree lives under ISOVEIL_CACHE
# (default: ~/.cache/isoveil), so that a fresh clone starts warm.
set -euo pipefail

ISOVEIL_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ISOVEIL_CACHE="${ISOVEIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/isoveil}"
ISOVEIL_JOBS="${ISOVEIL_JOBS:-$(nproc)}"
export ISOVEIL_ROOT ISOVEIL_CACHE ISOVEIL_JOBS

# One compiler cache for every checkout: paths are rewritten relative to the base
# directory, and the working directory is left out of the hash.
export CCACHE_DIR="${CCACHE_DIR:-$ISOVEIL_CACHE/ccache}"
export CCACHE_NOHASHDIR=true
export CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-2G}"

# llama.cpp is pinned: version, commit and the hash of the source bundle.
LLAMA_VERSION=0.5.0
LLAMA_COMMIT=de3ff815ea7d559ee917f063901b8986f038abc6
LLAMA_NPM_PACKAGE=node-llama-cpp@3.22.1
LLAMA_BUNDLE_SHA256=5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51
LLAMA_GIT_URL=https://github.com/ggml-org/llama.cpp
ISOVEIL_LLAMA_PREFIX="${ISOVEIL_LLAMA_PREFIX:-$ISOVEIL_CACHE/llama.cpp-$LLAMA_VERSION}"
export ISOVEIL_LLAMA_PREFIX

say()  { printf '%s\n' "$*" >&2; }
die()  { printf 'error: %s\n' "$1" >&2; [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is not installed" "${2:-run scripts/deps first}"; }
