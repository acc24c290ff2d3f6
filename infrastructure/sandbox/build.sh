#!/bin/sh
# Makes the sandbox image, unless one of exactly these inputs is there. Prints its name on the last line of stdout.
#   build.sh          build when missing; progress goes to stderr
#   build.sh --name   only print the name
# SANDBOX_IMAGE       repository of the image (guildhall-sandbox)
# SANDBOX_BASE_IMAGE  a Debian bookworm base to start from; unset: debian.sh where that works, else Docker's default
# DOCKER, DOCKER_HOST the engine's command line and address
set -eu

packages='git ripgrep python3 python3-venv python3-pip python-is-python3 build-essential socat ca-certificates procps
less nano vim-tiny curl sqlite3 xz-utils unzip'
node_version=24.21.0
npm_version=11.19.1

here=$(cd "$(dirname "$0")" && pwd)
image=${SANDBOX_IMAGE:-guildhall-sandbox}
docker=${DOCKER:-docker}

say() { printf '%s\n' "$*" >&2; }
fail() { say "build.sh: $*"; exit 1; }
digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-12; }
# The supervisor without what a running one does not read.
supervisor_files() {
  cd "$here/supervisor" && find . -type f ! -path './node_modules/*' ! -name '*.test.ts' ! -name 'tsconfig*' | LC_ALL=C sort
}
read_all() { while read -r file; do printf '%s\n' "$file"; cat "$file"; done; }

packages=$(printf '%s' "$packages" | tr '\n' ' ')
base_hash=$({ echo "$packages"; cat "$here/debian.sh"; } | digest)
tools_hash=$({
  echo "$base_hash $node_version $npm_version ${SANDBOX_BASE_IMAGE:-}"
  cat "$here/Dockerfile" "$here/build.sh"
  (cd "$here/rootfs" && find . -type f | LC_ALL=C sort | read_all)
} | digest)
hash=$({ echo "$tools_hash"; supervisor_files | (cd "$here/supervisor" && read_all); } | digest)

if [ "${1:-}" = --name ]; then
  echo "$image:$hash"
  exit
fi

command -v "$docker" >/dev/null || fail "the command '$docker' is missing"
exists() { "$docker" image inspect "$1" >/dev/null 2>&1; }
done_already() {
  exists "$image:$hash" || return 1
  "$docker" tag "$image:$hash" "$image:latest"
  say "sandbox image $image:$hash is there"
  echo "$image:$hash"
}
! done_already || exit 0

# One build at a time; who waited finds the image made. Where flock is missing (macOS) two builds only cost time.
if command -v flock >/dev/null; then
  exec 9>"${TMPDIR:-/tmp}/guildhall-sandbox-build.$(id -u).lock"
  flock -n 9 || { say 'sandbox image: waiting for another build'; flock 9; }
  ! done_already || exit 0
fi

began=$(date +%s)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
trap 'exit 130' INT TERM

# Podman keeps the word elsewhere.
case $("$docker" info --format '{{.Architecture}}' 2>/dev/null || "$docker" info --format '{{.Host.Arch}}') in
  x86_64 | amd64) cpu=x64 ;;
  aarch64 | arm64) cpu=arm64 ;;
  '') fail 'the engine does not answer' ;;
  *) fail 'only x86-64 and arm64 engines are known' ;;
esac

# Only a machine of the engine's own kind can put a system together for it.
can_debootstrap() {
  [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  case $(uname -m)-$cpu in x86_64-x64 | aarch64-arm64) ;; *) return 1 ;; esac
}

npm_fetch() { # npm_fetch FOLDER: installs its package.json for the engine's system, running nothing
  (cd "$1" && npm install --os=linux --cpu="$cpu" --libc=glibc --omit=dev --ignore-scripts --no-package-lock --no-audit \
    --no-fund --workspaces=false --loglevel=error >&2)
}
docker_build() { # docker_build FOLDER ARGUMENT…: silent unless it fails
  folder=$1
  shift
  "$docker" build "$@" "$folder" >"$context/log" 2>&1 || {
    tail -n 30 "$context/log" >&2
    fail 'docker build failed'
  }
}

make_base() {
  base=${SANDBOX_BASE_IMAGE:-}
  [ -z "$base" ] || return 0
  if can_debootstrap; then
    base=$image-base:$base_hash
    ! exists "$base" || return 0
    # shellcheck disable=SC2086 — the list is meant to be split
    if "$here/debian.sh" "$context/base.tar" $packages; then
      "$docker" import --change 'LABEL guildhall.image=base' "$context/base.tar" "$base" >/dev/null
      rm "$context/base.tar"
      say "sandbox image: base $base after $(($(date +%s) - began)) s"
      return 0
    fi
  fi
  base=debian:bookworm-slim
  say "sandbox image: starting from $base"
}

# Node and npm come from the package registry this machine is configured for, for the engine's kind of machine.
make_tools() {
  make_base
  say "sandbox image: Node $node_version, npm $npm_version"
  mkdir -p "$context/fetch" "$context/tools/node/bin" "$context/tools/node/lib/node_modules"
  printf '{"private":true,"dependencies":{"node-linux-%s":"%s","npm":"%s"}}' "$cpu" "$node_version" "$npm_version" \
    >"$context/fetch/package.json"
  npm_fetch "$context/fetch"
  modules=$context/fetch/node_modules
  node=$context/tools/node
  mv "$modules/node-linux-$cpu/bin/node" "$node/bin/node"
  mv "$modules/node-linux-$cpu/include" "$node/include"
  mv "$modules/npm" "$node/lib/node_modules/npm"
  rm -rf "$node/lib/node_modules/npm/docs" "$node/lib/node_modules/npm/man"
  # npm reads its built-in configuration beside itself.
  ln -s /etc/npmrc "$node/lib/node_modules/npm/npmrc"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$node/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$node/bin/npx"
  cp -R "$here/rootfs" "$here/Dockerfile" "$context/tools/"
  chmod -R go+rX "$context/tools"
  docker_build "$context/tools" --build-arg "BASE=$base" --build-arg "PACKAGES=$packages" \
    --label guildhall.image=tools -t "$tools"
}

tools=$image-tools:$tools_hash
exists "$tools" || make_tools

say 'sandbox image: supervisor'
mkdir -p "$context/top/supervisor"
supervisor_files | tar -C "$here/supervisor" -T - -cf - | tar -C "$context/top/supervisor" -xf -
npm_fetch "$context/top/supervisor"
chmod -R go+rX "$context/top"
printf 'FROM %s\nCOPY supervisor/ /opt/guildhall/supervisor/\n' "$tools" >"$context/top/Dockerfile"
docker_build "$context/top" --label guildhall.image=sandbox -t "$image:$hash" -t "$image:latest"

# Earlier images stay for sandboxes that are made of them; the oldest go, and the engine keeps what is in use.
drop_old() { # drop_old REPOSITORY HOW_MANY_TO_KEEP
  "$docker" images "$1" --format '{{.Repository}}:{{.Tag}}' | grep -v ':latest$' | tail -n "+$(($2 + 1))" |
    while read -r old; do "$docker" rmi "$old" >/dev/null 2>&1 || true; done
}
drop_old "$image" 5
drop_old "$image-tools" 2
drop_old "$image-base" 2

size=$("$docker" image inspect --format '{{.Size}}' "$image:$hash")
say "sandbox image: $image:$hash, $((size / 1000000)) MB, $(($(date +%s) - began)) s"
echo "$image:$hash"
