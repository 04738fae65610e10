/** What a release says that it is made of. */

import { assertEquals } from "@std/assert";
import { succeeds } from "../support/commands.ts";
import { PACKAGES } from "../../tools/release/bundle.ts";
import { DIST, folderOf, programOf, SBOM } from "../../tools/release/names.ts";
import { TARGETS } from "../../tools/runtime/targets.ts";

interface Component {
  readonly name: string;
  readonly version: string;
}

const components: readonly Component[] = JSON.parse(Deno.readTextFileSync(`${DIST}/${SBOM}`)).components;

/** Of the validator of CycloneDX's own library; nothing else of the project needs it. */
const VALIDATOR = `
import "npm:ajv@8.20.0";
import "npm:ajv-formats@3.0.1";
import "npm:ajv-formats-draft2019@1.6.1";
import { Spec, Validation } from "npm:@cyclonedx/cyclonedx-library@10.3.0";
const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
const faults = await validator.validate(Deno.readTextFileSync(Deno.args[0]));
if (faults !== null) {
  console.log(faults);
  Deno.exit(1);
}
`;

Deno.test("the SBOM is CycloneDX", async () => {
  const script = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(script, VALIDATOR);
    const alone = ["run", "--quiet", "--no-lock", "--no-config", "--allow-all"];
    await succeeds([Deno.execPath(), ...alone, script, `${DIST}/${SBOM}`]);
  } finally {
    await Deno.remove(script);
  }
});

Deno.test("the SBOM has every package that the bundle has, and the Deno and V8 that the programs have", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // Not minified, a bundle has the path of each module in it.
    const flags = ["--quiet", "--platform", "deno", "--code-splitting", "--outdir", folder];
    await succeeds([Deno.execPath(), "bundle", ...flags, "main.ts", "load/load_thread.ts"], {
      DENO_DIR: PACKAGES,
    });
    const text = await succeeds([
      "grep",
      "-rhoE",
      "^// .*/npm/registry.npmjs.org/(@[^/]+/)?[^/]+/[^/]+",
      folder,
    ]);
    const bundled = new Set(text.trim().split("\n").map((line) => line.replace(/.*npmjs\.org\//, "")));
    const named = components.map(({ name, version }) => `${name}/${version}`);
    assertEquals([...bundled].filter((one) => !named.includes(one)), []);
    assertEquals(bundled.has("@peculiar/x509/2.2.0"), true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }

  for (const target of TARGETS) {
    for (const { name, version } of components.filter(({ name }) => ["deno", "v8"].includes(name))) {
      const mark = name === "deno" ? `Deno/${version}` : version;
      await succeeds(["grep", "-qaF", mark, `${DIST}/${programOf(target)}`]);
    }
  }
});

Deno.test("each of its packages has its licence in THIRD-PARTY-LICENSES.txt", () => {
  const path = `${DIST}/${folderOf("aarch64-apple-darwin")}/THIRD-PARTY-LICENSES.txt`;
  const [, ...sections] = Deno.readTextFileSync(path).split(/^={78}\n(?=.*\n={78}\n)/m);
  const titles = sections.map((section) => section.replace(/ \([\s\S]*/, ""));
  const short = sections.filter((section) => section.length < 500 || !/copyright/i.test(section));
  const named = components.map(({ name, version }) => `${name}@${version}`);
  const wanted = named.map((one) => one.replace(/^deno@/, "Deno ").replace(/^v8@/, "V8 "));
  assertEquals([titles, short], [wanted, []]);
});
