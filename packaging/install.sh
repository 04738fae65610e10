#!/bin/sh
# Installs netecho: one file, checked against the SHA-256 sums below. Edits no other file.
#
#   sh install.sh            the release that this script was made for
#   sh install.sh VERSION    that one, or "latest"
#   sh install.sh --help
#
# In the repository this is a template; each release has its own, with its version and its sums filled in.
set -eu

VERSION='@VERSION@'
SUMS='@SUMS@'
RELEASES="${NETECHO_RELEASES:-@REPOSITORY@/releases}"

usage() {
  cat <<EOF
Usage: sh install.sh [VERSION]

Installs netecho $VERSION, or another VERSION, or the "latest", and edits no other file.

  NETECHO_VERSION       stands for VERSION
  NETECHO_INSTALL_DIR   where to; ~/.local/bin otherwise
  NETECHO_RELEASES      a mirror of $RELEASES

The sums of $VERSION are in this script. Those of another version are read from its
SHA256SUMS, over https, by curl.
EOF
}

say() {
  printf 'install: %s\n' "$*" >&2
}

die() {
  say "$*"
  exit 1
}

refuse() {
  say "$*"
  exit 2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# What the files of a release are named by: processor, maker, system.
find_target() {
  system=$(uname -s)
  processor=$(uname -m)
  case $system in
    Linux) system=unknown-linux-gnu ;;
    Darwin) system=apple-darwin ;;
    MINGW* | MSYS* | CYGWIN* | Windows_NT)
      die "this script is for Linux and macOS; for Windows there are the .zip on $RELEASES, and Scoop"
      ;;
    *) die "there is no netecho for $system; there is one for Linux, macOS and Windows" ;;
  esac
  case $processor in
    x86_64 | amd64) processor=x86_64 ;;
    aarch64 | arm64) processor=aarch64 ;;
    *) die "there is no netecho for the processor $processor; there is one for x86-64 and arm64" ;;
  esac
  if [ "$system" = unknown-linux-gnu ]; then refuse_linux; else see_through_rosetta; fi
  TARGET="$processor-$system"
}

refuse_linux() {
  # musl's ldd knows no --version, and prints its own name instead.
  if has ldd; then
    case $(ldd --version 2>&1) in
      *musl*) die "this Linux has musl, as Alpine does; netecho needs glibc. Its container image runs here, too" ;;
    esac
  fi
  # A 32-bit system on a 64-bit kernel, as on some Raspberry Pis: uname names the kernel's processor.
  if has getconf && [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
    die "this is a 32-bit system; netecho needs a 64-bit one"
  fi
}

# A shell that was translated from Intel's code sees an Intel processor on Apple's.
see_through_rosetta() {
  if has sysctl && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || echo 0)" = 1 ]; then processor=aarch64; fi
}

# download URL FILE. wget is the second choice: not every wget checks certificates.
download() {
  if has curl; then
    case $1 in
      https:*) curl -fsSL --proto '=https' --tlsv1.2 --retry 2 --connect-timeout 20 -o "$2" "$1" ;;
      *) curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "$1" ;;
    esac
  elif has wget; then
    wget -q -O "$2" "$1"
  else
    die "there is neither curl nor wget to download with"
  fi || die "could not download $1"
}

# Sets SHA256 to what prints the sum of a file, and its name after a space.
find_sha256() {
  if has sha256sum; then
    SHA256=sha256sum
  elif has shasum; then
    SHA256='shasum -a 256'
  elif has openssl; then
    SHA256='openssl dgst -sha256 -r'
  else
    die "there is no sha256sum, shasum or openssl to check the download with"
  fi
}

# Sums that are not in this script prove as much as the way they came by.
fetch_sums() {
  case $RELEASES in
    https://*) has curl || die "only the sums of $VERSION are in this script; those of $WANTED need curl" ;;
    *) die "only the sums of $VERSION are in this script; those of $WANTED are taken by https, not from $RELEASES" ;;
  esac
  case $WANTED in
    latest) download "$RELEASES/latest/download/SHA256SUMS" "$WORK/SHA256SUMS" ;;
    *) download "$RELEASES/download/v$WANTED/SHA256SUMS" "$WORK/SHA256SUMS" ;;
  esac
  SUMS=$(cat "$WORK/SHA256SUMS")
  say "the sums are from SHA256SUMS of that release: they find damage, not a forged release"
}

# Sets ARCHIVE and SUM. A line of SUMS is a sum, two spaces, a name; the newest release is known by its names.
choose_archive() {
  SUM=
  while read -r sum name; do
    if [ "$WANTED" = latest ]; then
      case $name in
        netecho-*"-$TARGET.tar.gz")
          WANTED=${name#netecho-}
          WANTED=${WANTED%"-$TARGET.tar.gz"}
          ;;
      esac
    fi
    if [ "$name" = "netecho-$WANTED-$TARGET.tar.gz" ]; then SUM=$sum; fi
  done <<EOF
$SUMS
EOF
  ARCHIVE="netecho-$WANTED-$TARGET.tar.gz"
  [ -n "$SUM" ] || die "there is no sum of $ARCHIVE: that release has no file for this system"
}

# Puts the program into place in one step, so that one that runs, or an older one, is never half written. It is tried
# there first: in a temporary folder nothing may be allowed to run. By -O tar writes no other file, whatever is in the
# archive.
install_file() {
  mkdir -p "$FOLDER" || die "could not make $FOLDER; choose another with NETECHO_INSTALL_DIR"
  [ ! -d "$FOLDER/netecho" ] || die "$FOLDER/netecho is a folder; choose another place with NETECHO_INSTALL_DIR"
  if ! NEW=$(mktemp "$FOLDER/.netecho.XXXXXX") || ! chmod 755 "$NEW"; then
    die "could not write to $FOLDER; choose another with NETECHO_INSTALL_DIR"
  fi
  tar -xzOf "$WORK/$ARCHIVE" "${ARCHIVE%.tar.gz}/netecho" >"$NEW" ||
    die "could not unpack netecho from $ARCHIVE to $FOLDER"
  "$NEW" --version >"$WORK/said" 2>&1 ||
    die "netecho does not start here ($(head -n 1 "$WORK/said")); on Linux it needs glibc 2.27"
  mv -f "$NEW" "$FOLDER/netecho" || die "could not replace $FOLDER/netecho"
}

hint_path() {
  case ":$PATH:" in
    *":$FOLDER:"*) ;;
    *)
      say "$FOLDER is not on your PATH. For this shell, and in its start-up file for the next ones:"
      say "  export PATH=\"$FOLDER:\$PATH\""
      ;;
  esac
}

clean() {
  rm -rf "$WORK"
  [ -z "$NEW" ] || rm -f "$NEW"
}

# Sets WANTED and FOLDER.
read_arguments() {
  case $VERSION in
    @*) die "this is a template; each release has its install.sh: $RELEASES/latest/download/install.sh" ;;
  esac
  case ${1-} in
    -h | --help) usage && exit 0 ;;
  esac
  WANTED=${1:-${NETECHO_VERSION:-$VERSION}}
  [ $# -le 1 ] || refuse "one version at most; see sh install.sh --help"
  WANTED=${WANTED#v}
  case $WANTED in
    latest) ;;
    [!0-9]* | *[!0-9A-Za-z.+-]*) refuse "\"$WANTED\" is no version; one is like $VERSION, or latest" ;;
  esac
  [ -n "${NETECHO_INSTALL_DIR:-${HOME-}}" ] || die "HOME is not set; name a folder with NETECHO_INSTALL_DIR"
  FOLDER=${NETECHO_INSTALL_DIR:-$HOME/.local/bin}
  case $FOLDER in
    /*) ;;
    *) FOLDER=$PWD/$FOLDER ;; # a PATH takes no other
  esac
}

main() {
  read_arguments "$@"
  find_target
  find_sha256
  NEW=
  WORK=$(mktemp -d) || die "could not make a temporary folder; name one that can be written to with TMPDIR"
  trap clean EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  [ "$WANTED" = "$VERSION" ] || fetch_sums
  choose_archive
  say "netecho $WANTED for $TARGET"
  download "$RELEASES/download/v$WANTED/$ARCHIVE" "$WORK/$ARCHIVE"
  found=$($SHA256 "$WORK/$ARCHIVE")
  found=${found%% *}
  [ "$found" = "$SUM" ] || die "$ARCHIVE is damaged or forged: its SHA-256 is $found, not $SUM; nothing was installed"
  install_file
  say "installed $FOLDER/netecho: $("$FOLDER/netecho" --version)"
  hint_path
}

# In the last line, so that a script that was cut off does nothing.
main "$@"
