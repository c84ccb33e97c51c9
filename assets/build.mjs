// Bundles the page's CSS and ES modules into src/imagefactory/entry/web/static/dist; writes nothing else.
import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(here, "../src/imagefactory/entry/web/static/dist");
const fresh = `${out}.new-${process.pid}`;

const result = await esbuild.build({
  absWorkingDir: here,
  entryPoints: { app: "js/app.js", log: "js/log-view/log.js", style: "css/style.css" },
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: ["chrome123", "firefox121", "safari17.5"],
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  outdir: fresh,
  write: false,
  metafile: true,
  legalComments: "none",
});

// A half-written directory is never served: everything is written beside it and moved over at the end.
await mkdir(fresh, { recursive: true });
const manifest = {};
const digest = createHash("sha256");
for (const file of result.outputFiles) {
  const name = path.basename(file.path);
  const entry = Object.entries(result.metafile.outputs).find(([key]) => path.basename(key) === name)?.[1].entryPoint;
  if (entry) manifest[path.basename(entry)] = name;
  digest.update(file.contents);
  await writeFile(path.join(fresh, name), file.contents);
}
manifest.version = digest.digest("hex").slice(0, 12);
await writeFile(path.join(fresh, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await rm(out, { recursive: true, force: true });
await rename(fresh, out);
console.log(`${result.outputFiles.length} files written to static/dist, version ${manifest.version}`);
