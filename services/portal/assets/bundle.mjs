// Bundles the browser's library and the scripts made of it (browser/) by esbuild, and makes the page that needs no server.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

/** Writes DESTINATION/browser/*.js and DESTINATION/verify.html; packages come from `modules`. */
export function bundle(here, modules, destination) {
  const esbuild = createRequire(resolve(modules, "esbuild/package.json"))("esbuild");
  const common = {
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022"],
    nodePaths: [resolve(modules)],
    logLevel: "error",
    legalComments: "none",
  };
  const source = (name) => join(here, "browser", name);
  esbuild.buildSync({
    ...common,
    entryPoints: [source("medshare-keys.js"), source("pages/explorer.js"), source("pages/verify.js")],
    outdir: join(destination, "browser"),
    entryNames: "[name]",
    chunkNames: "part-[hash]",
    splitting: true,
  });
  const [script] = esbuild.buildSync({ ...common, entryPoints: [source("offline/offline.js")], format: "iife", write: false }).outputFiles;
  const style = readFileSync(source("offline/offline.css"), "utf8") + readFileSync(join(here, "source/verify.css"), "utf8");
  // A text in the script that looks like the script's end would be it.
  const safe = script.text.trim().replaceAll("</script", "<\\/script");
  const hash = (text) => `sha256-${createHash("sha256").update(text).digest("base64")}`;
  const filled = {
    "script-hash": hash(safe),
    "style-hash": hash(style),
    style,
    script: safe,
  };
  const page = readFileSync(source("offline/offline.html"), "utf8").replace(/\{\{([a-z-]+)\}\}/g, (_, name) => filled[name]);
  mkdirSync(destination, { recursive: true });
  writeFileSync(join(destination, "verify.html"), page);
}
