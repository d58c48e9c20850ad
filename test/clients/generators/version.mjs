// Prints what names the generators that package-lock.json and requirements.txt ask for; the folder they are in ends with it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const hash = createHash('sha256');
for (const name of ['package-lock.json', 'requirements.txt']) hash.update(readFileSync(join(here, name)));
console.log(hash.digest('hex').slice(0, 12));
