// Builds the page into dist/: index.html, app.js, app.css, icon.svg and the licences of what app.js contains.
// The same sources give the same bytes: no hashes, dates or paths of the machine go in.
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';

const MAX_TOTAL_BYTES = 700 * 1024;
// Licences and reasons stand in docs/dependencies.md.
const BUNDLED = ['preact', 'markdown-it', 'mdurl', 'linkify-it', 'uc.micro', 'punycode.js', 'entities',
                 'dompurify', 'idb', 'highlight.js', 'katex'];

const root = new URL('.', import.meta.url);
const dist = new URL('dist/', root);

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });

const version = JSON.parse(await readFile(new URL('package.json', root), 'utf8')).version;
const result = await build({
  absWorkingDir: root.pathname,
  entryPoints: [{ in: 'src/main.tsx', out: 'app' }, { in: 'src/css/app.css', out: 'app' }],
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome123', 'firefox120', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { ISOVEIL_PAGE_VERSION: JSON.stringify(version) },
  legalComments: 'none',
  charset: 'utf8',
  metafile: true,
  logLevel: 'info',
});

for (const name of ['index.html', 'icon.svg']) {
  await copyFile(new URL(`static/${name}`, root), new URL(name, dist));
}
await writeFile(new URL('licenses.txt', dist), await licences(result.metafile));

let total = 0;
for (const name of (await readdir(dist)).sort()) {
  const { size } = await stat(new URL(name, dist));
  total += size;
  console.log(`${String(size).padStart(8)}  dist/${name}`);
}
console.log(`${String(total).padStart(8)}  total`);
if (total > MAX_TOTAL_BYTES) {
  console.error(`dist/ is larger than ${MAX_TOTAL_BYTES} bytes`);
  process.exit(1);
}

// Every bundled package must be listed, so that none is shipped without its licence.
async function licences(metafile) {
  const found = new Set();
  for (const path of Object.keys(metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (match) found.add(match[1]);
  }
  const unlisted = [...found].filter((name) => !BUNDLED.includes(name));
  if (unlisted.length > 0) throw new Error(`bundled but not listed in build.mjs: ${unlisted.join(', ')}`);
  const parts = [];
  for (const name of [...found].sort()) {
    const folder = new URL(`node_modules/${name}/`, root);
    const file = (await readdir(folder)).sort().find((entry) => /^licen[cs]e/i.test(entry));
    const meta = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
    const text = file ? await readFile(new URL(file, folder), 'utf8') : meta.license;
    parts.push(`${name} ${meta.version} (${meta.license})\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}
