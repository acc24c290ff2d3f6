#!/bin/sh
# Makes a Debian root file system as a tar, for machines that reach a Debian mirror but no image registry.
#   debian.sh OUTPUT.tar PACKAGE…
# Needs root and apt. The mirror is the one apt is configured with here: nothing is written down in this file.
set -eu

suite=bookworm
output=$1
shift

say() { printf '%s\n' "$*" >&2; }
fail() { say "debian.sh: $*"; exit 1; }

[ "$(id -u)" = 0 ] || fail 'needs root'
command -v apt-get >/dev/null || fail 'needs apt'

# One line a repository of this suite: "<address> <codename>". The updates and security archives come after the main one.
repositories=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(CREATED_BY)' |
  awk -v suite="$suite" '$4 == "Packages" && $3 == "main" && ($2 == suite || $2 == suite "-updates" || $2 == suite "-security") { print $1, $2 }' |
  sort -u -k2,2)
mirror=$(printf '%s\n' "$repositories" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
[ -n "$mirror" ] || fail "apt has no main archive of Debian $suite configured"

work=$(mktemp -d)
root=$work/root
clean() {
  umount "$root/proc" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

# Without debootstrap on the machine its package is unpacked beside, not installed.
if command -v debootstrap >/dev/null; then
  debootstrap=debootstrap
else
  (cd "$work" && apt-get download -qq debootstrap && dpkg-deb -x debootstrap_*.deb tool)
  export DEBOOTSTRAP_DIR="$work/tool/usr/share/debootstrap"
  debootstrap=$work/tool/usr/sbin/debootstrap
fi

say "debian: base system of $suite"
"$debootstrap" --variant=minbase "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || {
  tail -n 20 "$work/debootstrap.log" >&2
  fail 'debootstrap failed'
}

# The image is thrown together once and never loses power half-way: no fsync, no manuals, no translations, no services.
cat >"$root/etc/dpkg/dpkg.cfg.d/guildhall" <<'CFG'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
CFG
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

printf '%s\n' "$repositories" | while read -r address codename; do
  printf 'deb %s %s main\n' "$address" "$codename"
done >"$root/etc/apt/sources.list"
# How apt gets out from here (proxies, certificates) holds for this one installation as well.
apt-config dump | grep -E '^Acquire::(http|https|ftp)::' >"$root/etc/apt/apt.conf.d/99host" || true
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/etc/ssl/certs"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mount -t proc proc "$root/proc" 2>/dev/null || say 'debian: no /proc in the new system; going on without'

say "debian: $# packages"
inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }
{
  inside apt-get update -qq
  inside apt-get upgrade -qq -y
  inside apt-get install -qq -y --no-install-recommends "$@"
} >"$work/apt.log" 2>&1 || {
  tail -n 30 "$work/apt.log" >&2
  fail 'apt-get failed in the new system'
}

inside apt-get clean
umount "$root/proc" 2>/dev/null || true
# Nothing of this machine stays: its mirror, its proxy, its names.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/var/log/* "$root/usr/sbin/policy-rc.d" \
  "$root/etc/apt/sources.list" "$root/etc/apt/apt.conf.d/99host" "$root/etc/resolv.conf" "$root/etc/hosts" \
  "$root"/usr/share/man "$root"/usr/share/info "$root"/usr/share/locale
tar --numeric-owner --one-file-system --exclude='./dev/*' -C "$root" -cf "$output" .
say "debian: $(du -m "$output" | cut -f1) MB"
