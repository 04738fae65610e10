#!/bin/sh
# build.sh PROGRAM IMAGE: makes the container image of PROGRAM (see root.sh) with buildah, and writes it to the file
# IMAGE, for `podman load -i` and `docker load -i`. Prints its digest. Twice the same bytes: the clock is
# SOURCE_DATE_EPOCH, or the last commit. In the format of Docker, since podman finds no HEALTHCHECK in OCI's.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 PROGRAM IMAGE" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$here/../../deno.json")
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root=$("$here/root.sh" "$1" "$work")
arch=${root##*-}
# chroot and vfs work inside a container, too. The storage of its own leaves nothing behind.
build() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
said() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
said build build --isolation chroot --format docker --platform "linux/$arch" \
  --build-arg TARGETARCH="$arch" --build-arg VERSION="$version" --timestamp "$epoch" --identity-label=false \
  --file "$here/Containerfile" --iidfile "$work/id" "$work"
said build push "$(cat "$work/id")" "docker-archive:$work/image.tar"

# The config names the container that built it, which is another each time, and which nobody reads.
mkdir "$work/image"
tar -xf "$work/image.tar" -C "$work/image"
cd "$work/image"
layer=$(find . -type f -name '*.tar' -printf '%f')
sed 's/"container":"[0-9a-f]*",//; s/"Hostname":"[0-9a-f]*"/"Hostname":""/g' "$(sed 's/^sha256://' ../id).json" >config
config=$(sha256sum config | cut -c1-64)
mv config "$config.json"
printf '[{"Config":"%s.json","RepoTags":["localhost/netecho:%s"],"Layers":["%s"]}]' "$config" "$version" "$layer" \
  >manifest.json
cd - >/dev/null
tar -C "$work/image" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=444 \
  -cf "$2" "$config.json" "$layer" manifest.json
echo "sha256:$config"
