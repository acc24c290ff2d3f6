#!/bin/sh
# The one door for people and machines: guildhall.sh start | demo | doctor | test | link | image | bench | fuzz | clean
# `make <word>` and `npm run <word>` come here.
set -e
. "$(dirname "$0")/bootstrap.sh"
scripts=infrastructure/scripts
# Configuration is the environment; a file .env beside package.json adds what the environment leaves out.
[ ! -f .env ] || set_env=--env-file=.env
run() { exec node ${set_env-} "$@"; }

word=${1:-start}
[ $# = 0 ] || shift
case $word in
  start)
    node ${set_env-} $scripts/prepare.mjs
    run backend/src/entry/all.ts
    ;;
  demo)
    node ${set_env-} $scripts/prepare.mjs demo
    run backend/src/entry/demo.ts
    ;;
  link) run backend/src/entry/link.ts ;;
  doctor) run $scripts/doctor.mjs ;;
  test) exec node $scripts/test.mjs "$@" ;;
  image) exec sh infrastructure/sandbox/build.sh ;;
  bench)
    node $scripts/prepare.mjs
    exec npm run --silent bench:thread
    ;;
  fuzz)
    node $scripts/prepare.mjs
    cd backend
    FUZZ_ROUNDS=${FUZZ_ROUNDS:-300} exec node ../node_modules/vitest/vitest.mjs run src/app/fuzz.test.ts
    ;;
  clean) run $scripts/clean.mjs "$@" ;;
  *)
    echo "guildhall.sh knows: start demo doctor test link image bench fuzz clean; not '$word'" >&2
    exit 2
    ;;
esac
