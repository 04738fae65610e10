/** The container image: made twice, loaded by buildah, and run as a runtime would: read-only, by its own user. */

import { assertEquals, assertMatch } from "@std/assert";
import { isFile, ran, succeeds } from "../support/commands.ts";
import { has, ROOT } from "../support/helpers.ts";
import { archiveOf, DIST, VERSION } from "../../tools/release/names.ts";

/** Of `deno task release`, for the processor that this runs on, and for the other one. */
const ARCHIVE = `${DIST}/${archiveOf("x86_64-unknown-linux-gnu")}`;
const ARM64 = `${DIST}/${archiveOf("aarch64-unknown-linux-gnu")}`;
/** Of namespaces: not every container lets one be made inside it. */
const APART = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc"];
/** All files: another one is a decision, not an accident. */
const FILES = [
  "etc/group",
  "etc/hosts",
  "etc/nsswitch.conf",
  "etc/passwd",
  "lib/x86_64-linux-gnu/libc.so.6",
  "lib/x86_64-linux-gnu/libdl.so.2",
  "lib/x86_64-linux-gnu/libgcc_s.so.1",
  "lib/x86_64-linux-gnu/libm.so.6",
  "lib/x86_64-linux-gnu/libpthread.so.0",
  "lib/x86_64-linux-gnu/librt.so.1",
  "lib64/ld-linux-x86-64.so.2",
  "usr/bin/netecho",
  "usr/share/doc/libc6/copyright",
  "usr/share/doc/libgcc-s1/copyright",
];

/**
 * Runs the image's command on a network of its own. $FILES holds the image's files; $HEALTH and $COMMAND are the words
 * of its config. Both mounts and processes end with it.
 */
const RUN = `
ip link set lo up
mkdir "$FILES/proc" "$FILES/dev"
mount --bind "$FILES" "$FILES" && mount -o remount,bind,ro "$FILES"
mount -t proc proc "$FILES/proc" && mount --rbind /dev "$FILES/dev"
as_user="setpriv --no-new-privs chroot --userspec=$IMAGE_USER $FILES"
set -f # the words hold a question mark
$as_user $HEALTH >/dev/null 2>&1; echo "before the start: $?"
$as_user $COMMAND >/dev/null 2>&1 &
server=$!
$as_user /usr/bin/netecho connect --quiet --retry 10s localhost over TCP
$as_user /usr/bin/netecho connect --quiet udp://localhost over UDP
$as_user $HEALTH; echo "healthy: $?"
grep -E '^(Uid|CapEff):' "/proc/$server/status" | tr -s '\\t\\n' ' '; echo
$as_user /usr/bin/netecho serve tls://127.0.0.1:0 --save-cert /cert.pem 2>&1
kill "$server"; wait "$server"; echo "stopped: $?"
`;

interface Config {
  readonly architecture: string;
  readonly config: {
    readonly User: string;
    readonly ExposedPorts: Record<string, unknown>;
    readonly Entrypoint: string[];
    readonly Cmd: string[];
    readonly Healthcheck: { readonly Test: string[] };
  };
}

/** The image made twice in `folder`, as a.tar and b.tar: the digests that were printed. */
const makeTwice = (folder: string) =>
  Promise.all(
    ["a", "b"].map(async (name) =>
      (await succeeds(["packaging/container/build.sh", ARCHIVE, `${folder}/${name}.tar`])).trim()
    ),
  );

/** Unpacks an image into `files`, and returns its config. */
async function unpack(folder: string): Promise<Config> {
  await succeeds(["tar", "-xf", `${folder}/a.tar`, "-C", folder]);
  const [manifest] = JSON.parse(await Deno.readTextFile(`${folder}/manifest.json`));
  await Deno.mkdir(`${folder}/files`);
  await succeeds(["tar", "-xf", `${folder}/${manifest.Layers[0]}`, "-C", `${folder}/files`]);
  return JSON.parse(await Deno.readTextFile(`${folder}/${manifest.Config}`));
}

async function runAsRuntime(folder: string, { config }: Config): Promise<string[]> {
  const env = {
    FILES: `${folder}/files`,
    IMAGE_USER: config.User,
    HEALTH: config.Healthcheck.Test.slice(1).join(" "),
    COMMAND: [...config.Entrypoint, ...config.Cmd].join(" "),
  };
  return (await succeeds([...APART, "sh", "-c", RUN], env)).trimEnd().split("\n");
}

const CAN = isFile(ARCHIVE) && has("buildah", "curl", "dpkg-deb", "setpriv", "ip", "unshare") &&
  (await ran([...APART, "true"])).code === 0;

Deno.test({
  name: "the scripts of the container are clean",
  ignore: !has("shellcheck"),
  async fn() {
    const folder = `${ROOT}packaging/container`;
    await succeeds(["shellcheck", `${folder}/build.sh`, `${folder}/root.sh`]);
  },
});

Deno.test({
  name:
    "the container image is the same each time, has what it needs, and serves read-only and without rights",
  ignore: !CAN,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const [digest, again] = await makeTwice(folder);
      assertEquals(digest, again);
      await succeeds(["cmp", `${folder}/a.tar`, `${folder}/b.tar`]);

      const buildah = [
        "buildah",
        "--storage-driver",
        "vfs",
        "--root",
        `${folder}/s`,
        "--runroot",
        `${folder}/r`,
      ];
      await succeeds([...buildah, "from", "--name", "image", `docker-archive:${folder}/a.tar`]);
      const version = ["run", "--isolation", "chroot", "image", "--", "/usr/bin/netecho", "--version"];
      assertEquals(await succeeds([...buildah, ...version]), `netecho ${VERSION}\n`);

      const image = await unpack(folder);
      assertEquals(image.architecture, "amd64");
      assertEquals(image.config.User, "65532:65532");
      assertEquals(Object.keys(image.config.ExposedPorts).sort(), ["8890/tcp", "8890/udp"]);
      const files = (await succeeds(["find", `${folder}/files`, "!", "-type", "d", "-printf", "%P\n"]))
        .trim();
      assertEquals(files.split("\n").sort(), FILES);

      const lines = await runAsRuntime(folder, image);
      const [refused] = lines.splice(6, 1);
      assertMatch(refused ?? "", /cert\.pem.*(read-only|os error 30|Permission denied)/i);
      assertEquals(lines, [
        "before the start: 1",
        "over TCP",
        "over UDP",
        "healthy?",
        "healthy: 0",
        "Uid: 65532 65532 65532 65532 CapEff: 0000000000000000 ",
        "stopped: 0",
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "the image for arm64 is of that processor, and has its loader",
  ignore: !CAN || !isFile(ARM64),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await succeeds(["packaging/container/build.sh", ARM64, `${folder}/a.tar`]);
      assertEquals((await unpack(folder)).architecture, "arm64");
      const [loader = "", ...libraries] = FILES.filter((path) => path.startsWith("lib")).reverse();
      const names = [loader.replace("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"), ...libraries];
      for (const path of names) {
        const file = await succeeds([
          "od",
          "-An",
          "-tx1",
          "-j18",
          "-N1",
          `${folder}/files/${path.replace("x86_64", "aarch64")}`,
        ]);
        assertEquals(file.trim(), "b7", path); // EM_AARCH64
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
