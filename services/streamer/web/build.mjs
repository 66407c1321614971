// Copies what the installed streamer serves of the viewer into the folder named on the command line, and
// compresses the text beside it (name.gz, name.br), so that nothing is compressed while serving.
//
// The viewer's own index.html is left out: the streamer has its own page, which takes no addresses from the query.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const COMPRESSED = ['public/index.js', 'public/index.css'];
const PLAIN = ['LICENSE'];

const output = process.argv[2];
if (!output) {
    throw new Error('usage: node build.mjs OUTPUT_FOLDER');
}
const source = join(import.meta.dirname, 'node_modules', '@playcanvas', 'supersplat-viewer');
mkdirSync(output, { recursive: true });

for (const path of [...COMPRESSED, ...PLAIN]) {
    copyFileSync(join(source, path), join(output, path.split('/').pop()));
}
for (const path of COMPRESSED) {
    const name = path.split('/').pop();
    const text = readFileSync(join(source, path));
    const brotli = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: text.length } };
    writeFileSync(join(output, `${name}.gz`), gzipSync(text, { level: 9 }));
    writeFileSync(join(output, `${name}.br`), brotliCompressSync(text, brotli));
}
