#!/bin/sh
# Becomes systemd-nspawn with ROOT booted. To be run in a mount namespace of its own, which takes all mounts with it when it ends.
# usage: boot.sh ROOT CGROUP CHECKOUT VOLUME_IMAGE
set -eu
root=$1 cgroup=$2 checkout=$3 image=$4
echo $$ >"$cgroup/cgroup.procs"
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd # nspawn leaves folders there
mount -o loop "$image" "$root/srv/custos/disk1"
rm "$image" # its blocks live as long as the mount
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
exec systemd-nspawn --quiet --directory="$root" --machine=custos-test --boot --register=no --keep-unit --private-network --console=pipe \
  --resolv-conf=off --timezone=off --link-journal=no --system-call-filter=bpf \
  --bind-ro=/usr --bind-ro=/etc/alternatives --bind-ro=/etc/ld.so.cache --tmpfs=/usr/local/bin --bind-ro="$checkout:/opt/custos" \
  systemd.unit=basic.target
