// Bundles the widget into the Python package, and keeps it small.
//   node build.mjs            write the bundle
//   node build.mjs --compare  check that the committed bundle is the one these sources give
//   node build.mjs --tests    bundle the tests for node's own runner
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const BUNDLE = new URL("../src/embellie/web/static/widget.v1.js", import.meta.url);
const BUDGET = 6 * 1024;
const HEAD = "/* embellie widget, Apache-2.0 */\n";
// Members of ours that bear no name of the wire or of a browser's objects: shortened.
const OURS =
  "milliseconds alive touch tick active waiting flying weight planned tries heardAt heard keeper " +
  "storage mint given current stored forget lastVisit wasChosen chose admit sync change allowed queues own each keep take " +
  "flush retry leave resume plan save asked fill adopt setting later online net address clock chance";

if (process.argv.includes("--tests")) {
  rmSync(".build", { recursive: true, force: true });
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
  await build({
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: ".build",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "warning",
  });
} else {
  const done = await build({
    entryPoints: ["src/embellie.ts"],
    bundle: true,
    minify: true,
    format: "iife",
    charset: "utf8",
    target: ["es2020"],
    mangleProps: new RegExp(`^(${OURS.replaceAll(" ", "|")})$`),
    legalComments: "none",
    write: false,
    logLevel: "warning",
  });
  const fresh = HEAD + done.outputFiles[0].text;
  const size = gzipSync(fresh, { level: 9 }).length;
  if (size > BUDGET) fail(`The widget takes ${size} bytes gzipped; at most ${BUDGET}. Take something out.`);
  if (process.argv.includes("--compare")) {
    if (readFileSync(BUNDLE, "utf8") !== fresh) fail("The committed bundle is not what the sources give. Run `make widget`.");
  } else {
    writeFileSync(BUNDLE, fresh);
  }
  console.log(`widget.v1.js: ${fresh.length} bytes, ${size} gzipped (at most ${BUDGET}).`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
