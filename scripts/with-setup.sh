#!/usr/bin/env bash
# with-setup.sh TASK [ARGUMENT...]: installs what is missing, then runs the task on the Node that comes with Custos.
set -euo pipefail
task=${1:?usage: with-setup.sh demo|test|bench|campaign [ARGUMENT...]}
shift
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

case $task in
  test) program=scripts/test.mjs ;;
  demo | bench | campaign) program=$task/main.ts ;;
  *) fail "there is no task '$task'" 'Use one of: demo, test, bench, campaign.' ;;
esac
[[ -f $program ]] || fail "$program is not in this checkout" 'Check out a version that has it, or run another task.'

if [[ $task == test ]]; then
  # Two runs in one checkout would share tap's folders.
  exec 8>>.cache/test.lock
  flock -n 8 || { say 'another test run is going on in this checkout; waiting for it'; flock 8; }
fi
node=$(packaged_node)
export PATH="$PWD/$(dirname "$node"):$PWD/node_modules/.bin:$PATH"
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/.cache/node}"
exec "$node" "$program" "$@"
