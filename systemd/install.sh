#!/bin/sh
# Installs the folder it lies in as the service "custos"; run again, it upgrades. Starts and stops nothing. See docs/operating/install.md.
set -eu
home=/opt/custos
here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo '請以 root 執行 / run this as root' >&2; exit 1; }
umask 022

if [ "$here" != "$home" ]; then
  rm -rf "$home.new"
  mkdir -p "$home.new"
  for part in bin libexec src web migrations config docs systemd node_modules package.json; do cp -R "$here/$part" "$home.new/"; done
  # Reading ahead saves a third of ffmpeg's processor time (docs/reliability.md); CUSTOS_READ_AHEAD=0 leaves it out.
  if [ "${CUSTOS_READ_AHEAD:-}" != 0 ]; then
    mkdir -p "$home.new/.cache"
    "$home.new/libexec/build-recv-ahead" "$home.new/.cache/recv-ahead.so" 2>/dev/null || echo '未建置 recv-ahead：錄影較耗處理器，其餘不變 / recv-ahead was not built: recording takes more processor time, and works' >&2
  fi
  chmod -R u=rwX,go=rX "$home.new"
  rm -rf "$home.old"
  [ ! -e "$home" ] || mv "$home" "$home.old" # to go back to
  mv "$home.new" "$home"
fi

install -D -m 644 "$home/systemd/custos.service" /etc/systemd/system/custos.service
install -D -m 644 "$home/systemd/custos.sysusers" /etc/sysusers.d/custos.conf
install -D -m 644 "$home/systemd/custos.tmpfiles" /etc/tmpfiles.d/custos.conf
systemd-sysusers custos.conf
systemd-tmpfiles --create custos.conf
ln -sfn "$home/bin/custos" /usr/local/bin/custos

[ -e /etc/custos/custos.yaml ] || install -m 640 -o root -g custos "$home/config/custos.example.yaml" /etc/custos/custos.yaml
# Owned by the service, so that a changed password is taken over without a restart.
[ -e /etc/custos/secrets.yaml ] || install -m 600 -o custos -g custos /dev/null /etc/custos/secrets.yaml

# Code compiled now, by the account that will run it, makes the first start as quick and as small as a later one; without it, it only is not.
install -d -m 700 -o custos -g custos /var/cache/custos
setpriv --reuid custos --regid custos --clear-groups env NODE_COMPILE_CACHE=/var/cache/custos/node "$home/bin/custos" warm-up || true

systemctl daemon-reload
systemctl enable --quiet custos
echo '已安裝。編輯 /etc/custos/custos.yaml 後：custos check-config --config /etc/custos/custos.yaml，再 systemctl restart custos'
echo 'Installed. Edit /etc/custos/custos.yaml, run custos check-config --config /etc/custos/custos.yaml, then systemctl restart custos'
