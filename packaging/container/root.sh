#!/bin/sh
# root.sh PROGRAM FOLDER: makes FOLDER/root-amd64 or root-arm64, whichever PROGRAM is for: all files of the image.
# PROGRAM is the file itself, or the .tar.gz of a release. Needs curl, dpkg-deb and coreutils.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 PROGRAM FOLDER" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=$1
case $program in *.tar.gz)
  mkdir "$work/archive"
  tar -xzf "$program" -C "$work/archive"
  program=$(find "$work/archive" -type f -name netecho -perm -u+x | head -n 1)
  [ -n "$program" ] || { echo "root.sh: there is no program netecho in $1" >&2; exit 1; } ;;
esac

# e_machine in the header of an ELF file
case $(od -An -tx1 -j18 -N1 "$program" | tr -d ' ') in
  3e) arch=amd64 libraries=/lib/x86_64-linux-gnu loader=/lib64/ld-linux-x86-64.so.2 ;;
  b7) arch=arm64 libraries=/lib/aarch64-linux-gnu loader=/lib/ld-linux-aarch64.so.1 ;;
  *) echo "root.sh: $1 is for neither x86-64 nor arm64 Linux, and there are images for no other" >&2; exit 1 ;;
esac

grep "^$arch " "$here/libraries.txt" | while read -r _ path sum; do
  deb="$work/${path##*/}"
  curl -fsSL --retry 3 -o "$deb" "https://deb.debian.org/debian/$path" ||
    curl -fsSL --retry 3 -o "$deb" "https://snapshot.debian.org/file/sha256/$sum"
  echo "$sum  $deb" | sha256sum --check --quiet --strict
  dpkg-deb -x "$deb" "$work/debs"
done

root="$2/root-$arch"
rm -rf "$root"
mkdir -p "$root/usr/bin" "$root/etc" "$root${loader%/*}" "$root$libraries"
cp -L "$work/debs$loader" "$root$loader"
for name in libc.so.6 libm.so.6 libdl.so.2 librt.so.1 libpthread.so.0 libgcc_s.so.1; do
  cp -L "$work/debs$libraries/$name" "$root$libraries/$name"
done
for package in libc6 libgcc-s1; do
  mkdir -p "$root/usr/share/doc/$package"
  cp "$work/debs/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
done
cp "$program" "$root/usr/bin/netecho"
echo 'netecho:x:65532:65532::/:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'netecho:x:65532:' >"$root/etc/group"
# Most runtimes write a hosts file of their own. Without nsswitch.conf, glibc 2.36 asks DNS before it reads that file.
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod -R u=rwX,go=rX "$root"
chmod 755 "$root/usr/bin/netecho" "$root$loader"
echo "$root"
